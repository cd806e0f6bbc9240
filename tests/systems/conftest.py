import pytest
from small_pipelines import small_portrait_pipeline


@pytest.fixture
def portrait_folder(tmp_path):
    """The folder of a first stage."""
    return small_portrait_pipeline().save_pretrained(tmp_path / "pipeline")
