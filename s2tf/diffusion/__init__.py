"""What the diffusion stages share: prior injection, objective and sampling."""
