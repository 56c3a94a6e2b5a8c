"""torchvision's ResNets and SqueezeNet 1.1 with fastai's head, in plain PyTorch, under torchvision's and fastai's
parameter names."""

import torch
from torch import nn

DEPTHS = {"resnet18": (2, 2, 2, 2), "resnet34": (3, 4, 6, 3), "resnet50": (3, 4, 6, 3)}
FIRES = ((64, 16, 64), (128, 16, 64), None, (128, 32, 128), (256, 32, 128), None,
         (256, 48, 192), (384, 48, 192), (384, 64, 256), (512, 64, 256))


class Block(nn.Module):
    """BasicBlock and Bottleneck."""

    def __init__(self, i, width, stride, wide):
        super().__init__()
        o = width * 4 if wide else width
        kernels = ((1, 1), (3, stride), (1, 1)) if wide else ((3, stride), (3, 1))
        widths = (i, width, width, o) if wide else (i, width, o)
        self.depth = len(kernels)
        for n, (kernel, step) in enumerate(kernels, 1):
            conv = nn.Conv2d(widths[n - 1], widths[n], kernel, step, kernel // 2, bias=False)
            setattr(self, f"conv{n}", conv)
            setattr(self, f"bn{n}", nn.BatchNorm2d(widths[n]))
        if stride != 1 or i != o:
            self.downsample = nn.Sequential(nn.Conv2d(i, o, 1, stride, bias=False), nn.BatchNorm2d(o))

    def forward(self, x):
        h = x
        for n in range(1, self.depth + 1):
            h = getattr(self, f"bn{n}")(getattr(self, f"conv{n}")(h))
            if n < self.depth:
                h = h.relu()
        return (h + (self.downsample(x) if hasattr(self, "downsample") else x)).relu()


class Fire(nn.Module):
    def __init__(self, i, squeeze, expand):
        super().__init__()
        self.squeeze = nn.Conv2d(i, squeeze, 1)
        self.expand1x1 = nn.Conv2d(squeeze, expand, 1)
        self.expand3x3 = nn.Conv2d(squeeze, expand, 3, padding=1)

    def forward(self, x):
        x = self.squeeze(x).relu()
        return torch.cat([self.expand1x1(x).relu(), self.expand3x3(x).relu()], 1)


class ConcatPool(nn.Module):
    """fastai's AdaptiveConcatPool2d(1)."""

    def forward(self, x):
        return torch.cat([x.amax((2, 3), keepdim=True), x.mean((2, 3), keepdim=True)], 1)


class Network(nn.Module):
    """torchvision's ResNet: the head takes the places of avgpool and fc."""

    def __init__(self, arch, head):
        super().__init__()
        wide = arch == "resnet50"
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        i = 64
        for n, depth in enumerate(DEPTHS[arch]):
            width, blocks = 64 * 2**n, []
            for k in range(depth):
                blocks.append(Block(i, width, 2 if k == 0 and n > 0 else 1, wide))
                i = width * 4 if wide else width
            setattr(self, f"layer{n + 1}", nn.Sequential(*blocks))
        self.avgpool, self.fc = head[0], nn.Sequential(*head[2:])

    def body(self):
        layers = [self.layer1, self.layer2, self.layer3, self.layer4]
        return nn.Sequential(self.conv1, self.bn1, nn.ReLU(), nn.MaxPool2d(3, 2, 1), *layers)

    def forward(self, x):
        return self.fc(self.avgpool(self.body()(x)).flatten(1))


class SqueezeNet(nn.Module):
    """torchvision's: the head is the classifier."""

    def __init__(self, head):
        super().__init__()
        pool = nn.MaxPool2d(3, 2, ceil_mode=True)
        fires = [pool if fire is None else Fire(*fire) for fire in FIRES]
        self.features = nn.Sequential(nn.Conv2d(3, 64, 3, 2), nn.ReLU(), pool, *fires)
        self.classifier = nn.Sequential(*head)

    def body(self):
        return nn.Sequential(self.features)

    def forward(self, x):
        return self.classifier(self.features(x))


def head_of(features, head, classes):
    """fastai's create_head; `ps` has one value per linear layer."""
    sizes = [features * (2 if head["concat_pool"] else 1), *head["lin_ftrs"], classes]
    layers = [ConcatPool() if head["concat_pool"] else nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    for n, p in enumerate(head["ps"]):
        layers.append(nn.BatchNorm1d(sizes[n]))
        if p != 0:
            layers.append(nn.Dropout(p))
        layers.append(nn.Linear(sizes[n], sizes[n + 1]))
        if n < len(head["ps"]) - 1:
            layers.append(nn.ReLU())
    return layers + ([nn.BatchNorm1d(classes, momentum=0.01)] if head["bn_final"] else [])


def torchvision_named(arch, head, classes):
    layers = head_of(2048 if arch == "resnet50" else 512, head, classes)
    return SqueezeNet(layers) if arch == "squeezenet1_1" else Network(arch, layers)


def fastai_named(arch, head, classes):
    layers = head_of(2048 if arch == "resnet50" else 512, head, classes)
    return nn.Sequential(torchvision_named(arch, head, classes).body(), nn.Sequential(*layers))
