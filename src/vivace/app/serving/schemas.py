"""What the server answers with."""

from pydantic import BaseModel, Field

__all__ = ["Health", "ModelInfo", "PicturePrediction", "Predictions", "Problem"]


class PicturePrediction(BaseModel):
    """What the model says of one picture."""

    name: str = Field(description="Name of the file as it was sent.", examples=["photo.jpg"])
    labels: list[str] = Field(description="The class, or the classes of a model for several.", examples=[["cat"]])
    probabilities: dict[str, float] = Field(
        description="Of each class, in 0..1.", examples=[{"cat": 0.98, "dog": 0.02}]
    )
    values: list[float] = Field(description="Of a regression.", examples=[[]])


class Predictions(BaseModel):
    """Of all pictures of a request, in their order."""

    predictions: list[PicturePrediction]


class Problem(BaseModel):
    """Why a request was not answered."""

    detail: str = Field(examples=["photo.jpg: The picture is damaged or incomplete."])


class Health(BaseModel):
    """Whether the server is up."""

    status: str = Field(examples=["ok"])
    waiting: int = Field(description="Pictures that wait for the model.", examples=[0])


class ModelInfo(BaseModel):
    """What the model is."""

    task: str = Field(examples=["category"])
    labels: list[str] = Field(examples=[["cat", "dog"]])
    model: str = Field(examples=["vivace.vision.models.create_vision_model"])
    metrics: dict[str, float] = Field(description="At export.", examples=[{"accuracy": 0.98}])
    versions: dict[str, str] = Field(examples=[{"vivace": "0.1.0"}])
