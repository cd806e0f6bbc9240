"""Results of many runs become the paper's tables, figures and pages."""
