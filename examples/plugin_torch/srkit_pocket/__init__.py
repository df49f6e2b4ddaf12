"""A small network for srkit."""

from srkit import ModelCard, WeightsFile

CARD = ModelCard(
    name="pocket",
    summary="A network of 5276 numbers that adds detail to bicubic interpolation.",
    adapter="srkit_pocket.adapter:PocketUpscaler",
    framework="torch",
    scales=(2,),
    default_scale=2,
    licence="Apache-2.0",
    training_data="three photographs of scikit-image's: astronaut, coffee and rocket",
    weights={
        2: WeightsFile(
            file="srkit_pocket/pocket_x2.safetensors",
            sha256="1ed6a15f7f676417124396ddbeba5c0cd0697fae7b2fc973d077bcfe66402385",
            source="distribution:srkit-pocket",
        )
    },
)
