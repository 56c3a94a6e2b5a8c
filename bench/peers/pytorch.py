"""PyTorch's training step of ResNet-18 with fastai's head, in the ways that PyTorch is fast on a CPU."""

import sys
import time

import torch
from lines import serve
from torch import nn

VARIANTS = {
    "f32": ["contiguous", "channels_last"],
    # autocast keeps float32 weights, as we do; "pure" has bfloat16 weights too, which is less exact
    "bf16": ["autocast channels_last", "pure channels_last"],
}
running = {}


class Block(nn.Module):
    """torchvision's BasicBlock."""

    def __init__(self, i, o, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(i, o, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(o)
        self.conv2 = nn.Conv2d(o, o, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(o)
        self.relu = nn.ReLU(inplace=True)
        self.shortcut = None
        if stride != 1 or i != o:
            self.shortcut = nn.Sequential(nn.Conv2d(i, o, 1, stride, bias=False), nn.BatchNorm2d(o))

    def forward(self, x):
        h = self.relu(self.bn1(self.conv1(x)))
        h = self.bn2(self.conv2(h))
        return self.relu(h + (x if self.shortcut is None else self.shortcut(x)))


def resnet18_body():
    layers = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)]
    channels = 64
    for width in (64, 128, 256, 512):
        layers += [Block(channels, width, 1 if width == 64 else 2), Block(width, width, 1)]
        channels = width
    return nn.Sequential(*layers)


class ConcatPool(nn.Module):
    """fastai's AdaptiveConcatPool2d(1), flattened."""

    def __init__(self):
        super().__init__()
        self.mean, self.max = nn.AdaptiveAvgPool2d(1), nn.AdaptiveMaxPool2d(1)

    def forward(self, x):
        return torch.cat([self.max(x), self.mean(x)], 1).flatten(1)


def fastai_head(classes):
    return nn.Sequential(
        ConcatPool(),
        nn.BatchNorm1d(1024), nn.Dropout(0.25), nn.Linear(1024, 512), nn.ReLU(inplace=True),
        nn.BatchNorm1d(512), nn.Dropout(0.5), nn.Linear(512, classes),
    )


def adamw(parameters):
    options = dict(lr=1e-4, betas=(0.9, 0.99), weight_decay=0.01)
    try:
        # one kernel for all parameters: newer versions have it for CPUs
        return torch.optim.AdamW(parameters, fused=True, **options)
    except (TypeError, RuntimeError):
        return torch.optim.AdamW(parameters, **options)


def new_step(case):
    batch, size, variant = case["batch"], case["size"], case["variant"]
    torch.manual_seed(1)
    body = resnet18_body()
    net = nn.Sequential(body, fastai_head(2)).train()
    x, y = torch.rand(batch, 3, size, size), torch.arange(batch) % 2
    if case["freeze"]:
        for module in body.modules():
            if not isinstance(module, nn.BatchNorm2d):
                for parameter in module.parameters(recurse=False):
                    parameter.requires_grad_(False)
    if "channels_last" in variant:
        net, x = net.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
    if "pure" in variant:
        net, x = net.bfloat16(), x.bfloat16()
    optimizer = adamw([p for p in net.parameters() if p.requires_grad])
    loss_of = nn.CrossEntropyLoss()

    def step():
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled="autocast" in variant):
            logits = net(x)
        loss = loss_of(logits.float(), y)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def hello(_):
    torch.set_num_threads(int(sys.argv[1]))
    return {"name": f"PyTorch {torch.__version__.split('+')[0]}", "threads": torch.get_num_threads(), "variants": VARIANTS}


def open_case(case):
    step = running[case["id"]] = new_step(case)
    step(), step()
    return {}


def steps(request):
    step, seconds = running[request["id"]], []
    for _ in range(request["count"]):
        begun = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - begun)
    return {"seconds": seconds}


def close(request):
    del running[request["id"]]
    return {}


if __name__ == "__main__":
    serve({"hello": hello, "open": open_case, "steps": steps, "close": close})
