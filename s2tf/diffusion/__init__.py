"""The diffusions of both stages: networks, prior injection, objective and sampling."""
