"""The seed program on real fastai v1, its three parts timed apart."""

import sys
import time
import warnings

import torch
from lines import serve

warnings.filterwarnings("ignore")


def hello(_):
    import fastai

    if not fastai.__version__.startswith("1."):
        raise RuntimeError(f"fastai {fastai.__version__} is not version 1")
    torch.set_num_threads(int(sys.argv[1]))
    name = f"fastai {fastai.__version__}, PyTorch {torch.__version__.split('+')[0]}"
    return {"name": name, "threads": torch.get_num_threads(), "variants": {"f32": [""]}}


def seed(request):
    from fastai.vision import ImageDataBunch, accuracy, cnn_learner, models

    data = ImageDataBunch.from_folder(request["folder"])
    # weights are worth nothing to a clock; pretrained=True would freeze the body, so that is done here
    learn = cnn_learner(data, models.resnet18, pretrained=False, metrics=accuracy)
    learn.freeze()
    batch, valid = data.batch_size, len(data.valid_ds)
    parts = []

    def timed(name, run, images_behind):
        begun = time.perf_counter()
        run()
        seconds = time.perf_counter() - begun
        parts.append({"name": name, "seconds": seconds, "images": len(learn.recorder.losses) * batch + images_behind})

    timed("lr_find", lambda: learn.lr_find(num_it=request["numIt"]), 0)
    timed("frozen epoch", lambda: learn.fit_one_cycle(1, 3e-2), valid)
    learn.unfreeze()
    timed("fine-tuning epoch", lambda: learn.fit_one_cycle(1, slice(1e-6, 1e-4)), valid)
    return {"parts": parts, "accuracy": float(learn.recorder.metrics[-1][0])}


if __name__ == "__main__":
    serve({"hello": hello, "seed": seed})
