"""Pictures of results: sheets, grids of videos, enlarged regions and curves of motion."""
