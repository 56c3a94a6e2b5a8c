"""What Python's packages make of an exported model; each package that is absent is named, not wanted."""

import os
import re

from lines import serve


def ask(request):
    os.chdir(request["dir"])
    found = {"checked": [], "probabilities": {}, "absent": {}}
    for name, check in CHECKS.items():
        try:
            check(request, found)
        except ImportError as error:
            found["absent"][name] = str(error)
    return found


def onnx_checker(_, found):
    import onnx

    onnx.checker.check_model("onnx/model.onnx", full_check=True)
    found["checked"].append(f"onnx.checker {onnx.__version__}")


def safetensors_reader(_, found):
    import safetensors
    from safetensors.numpy import load_file

    names = [set(load_file(f"safetensors/{name}.safetensors")) for name in ("model", "torchvision")]
    assert len(names[0]) == len(names[1]) > 0
    found["checked"].append(f"safetensors {safetensors.__version__}")


def onnx_runtime(request, found):
    import numpy
    import onnxruntime

    session = onnxruntime.InferenceSession("onnx/model.onnx")
    (answer,) = session.run(["probabilities"], {"input": images(request, numpy)})
    found["probabilities"][f"onnxruntime {onnxruntime.__version__}, Python"] = answer.flatten().tolist()


def readme(request, found):
    """The lines of README.md as they stand; they must agree where an image needs no fitting."""
    import onnxruntime  # noqa: F401
    from PIL import Image

    with open("README.md", encoding="utf-8") as file:
        lines = re.search(r"```python\n(.*?)```", file.read(), re.S)[1]
    scope = {}
    exec(lines, scope)  # noqa: S102
    answer = scope["probabilities"].flatten().tolist()
    height, width = request["size"]
    if Image.open("image.jpg").size == (width, height):
        found["probabilities"]["README.md, Python"] = answer
    else:
        found["checked"].append("README.md, Python")


def pytorch(request, found):
    import numpy
    import torch
    from networks import fastai_named, torchvision_named
    from safetensors.torch import load_file

    x = torch.from_numpy(images(request, numpy).copy())
    for name, path, build in (
        ("torchvision's names", "torchvision", torchvision_named),
        ("fastai's names", "model", fastai_named),
    ):
        model = build(request["arch"], request["head"], request["classes"]).eval()
        model.load_state_dict(load_file(f"safetensors/{path}.safetensors"))
        with torch.no_grad():
            answer = torch.softmax(model(x), 1)
        found["probabilities"][f"PyTorch {torch.__version__.split('+')[0]}, {name}"] = answer.flatten().tolist()


def images(request, numpy):
    """[N,3,H,W], normalised."""
    nhwc = numpy.fromfile(request["images"], "<f4").reshape(request["shape"])
    return numpy.ascontiguousarray(nhwc.transpose(0, 3, 1, 2))


CHECKS = {
    "onnx.checker": onnx_checker,
    "safetensors": safetensors_reader,
    "onnxruntime, Python": onnx_runtime,
    "README.md, Python": readme,
    "PyTorch": pytorch,
}

if __name__ == "__main__":
    serve({"ask": ask})
