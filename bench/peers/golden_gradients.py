"""Gradient norms of golden e2e_resnet_gentle in PyTorch's float32 against the file's float64.

python golden_gradients.py ../../test/fixtures/golden/e2e_resnet_gentle.json [ORDERS [f64]]

One line: the middle and the worst relative error over ORDERS orders of the images within a batch (12; the first
is the file's own), then each. ONEDNN_MAX_CPU_ISA and ATEN_CPU_CAPABILITY choose the instructions.
"""

import itertools
import json
import math
import os
import statistics
import sys

import torch
from pytorch import ConcatPool, resnet18_body
from torch import nn

ORDERS = list(itertools.permutations(range(4)))


def hashed(seed, n, scale, offset):
    """hash_s of the golden README."""
    mask = 0xFFFFFFFF
    x = (torch.arange(n) + ((seed * 0x9E3779B9) & mask)) & mask
    for factor in (0x7FEB352D, 0x846CA68B):
        x = x ^ (x >> (16 if factor == 0x7FEB352D else 15))
        # in two halves: the product has more bits than int64
        x = ((x & 0xFFFF) * factor + ((((x >> 16) * factor) & 0xFFFF) << 16)) & mask
    x = x ^ (x >> 16)
    return (offset + scale * (2 * (x.double() / 2**32) - 1)).float()


def network(golden):
    flat = list(resnet18_body())
    stages = [nn.Sequential(*flat[4 + 2 * i : 6 + 2 * i]) for i in range(4)]
    head = nn.Sequential(
        ConcatPool(), nn.Identity(), nn.BatchNorm1d(1024), nn.Linear(1024, 512), nn.ReLU(inplace=True),
        nn.BatchNorm1d(512), nn.Linear(512, 3),
    )
    net = nn.Sequential(nn.Sequential(*flat[:4], *stages), head)
    state = net.state_dict()
    for t in golden["init"]:
        values = hashed(t["seed"], math.prod(t["shape"]), t["scale"], t["offset"])
        state[named(t["name"])] = values.reshape(t["shape"])
    net.load_state_dict(state)
    return net


def named(name):
    return name.replace("downsample", "shortcut")


def errors(golden, dtype, k):
    """The worst of three groups at each step."""
    net = network(golden).to(dtype).train()
    side, n, size = golden["image_size"], golden["n_train"], golden["batch_size"]
    x = hashed(1, n * 3 * side * side, 0.5, 0.5).reshape(n, 3, side, side).to(dtype)
    y = torch.tensor(golden["inputs"]["train_y"])
    parameters = dict(net.named_parameters())
    groups = [[parameters[named(name)] for name in names] for names in golden["layer_groups"]]
    norms = (nn.BatchNorm1d, nn.BatchNorm2d)
    kept = {id(p) for m in net.modules() if isinstance(m, norms) for p in m.parameters()}
    worst = []
    for phase, it in enumerate(golden["phases"]):
        for g, group in enumerate(groups):
            for p in group:
                p.requires_grad_(phase > 0 or g == 2 or id(p) in kept)
        adam = torch.optim.Adam(
            [{"params": [p for p in group if p.requires_grad]} for group in groups], lr=0, betas=(0.9, 0.99)
        )
        for s, step in enumerate(it["steps"]):
            order = torch.tensor(ORDERS[(k * 7 + (s * 5 if k else 0)) % len(ORDERS)]) + s * size
            net.zero_grad(set_to_none=True)
            nn.functional.cross_entropy(net(x[order]), y[order]).backward()
            ours = [
                math.sqrt(sum((p.grad.double() ** 2).sum().item() for p in group if p.grad is not None))
                for group in groups
            ]
            wanted = step["grad_l2_per_group_f64"]
            worst.append(max(abs(a - b) / b for a, b in zip(ours, wanted)))
            for group, lr in zip(adam.param_groups, step["lr"]):
                group["lr"], group["betas"] = lr, (step["mom"], 0.99)
                with torch.no_grad():
                    for p in group["params"]:
                        p.mul_(1 - 0.01 * lr)
            adam.step()
    return worst


def main():
    with open(sys.argv[1]) as file:
        golden = json.load(file)
    orders = int(sys.argv[2]) if len(sys.argv) > 2 else 12
    dtype = torch.float64 if "f64" in sys.argv else torch.float32
    torch.set_num_threads(2)
    each = [max(errors(golden, dtype, k)) for k in range(orders)]
    isa = f"oneDNN {os.environ.get('ONEDNN_MAX_CPU_ISA', 'all')}, ATen {torch.backends.cpu.get_cpu_capability()}"
    print(f"PyTorch {torch.__version__}, {isa}: {statistics.median(each):.1e}, {max(each):.1e}; ", end="")
    print(" ".join(f"{value:.1e}" for value in each))


main()
