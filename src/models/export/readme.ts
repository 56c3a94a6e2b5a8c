import type { ExportFacts } from './export-files.ts';

/** Pillow's word for each way to fit an image. */
const pillow: Record<ExportFacts['resize_method'], (image: string, size: string) => string> = {
  crop: (image, size) => `ImageOps.fit(${image}, ${size}, Image.BILINEAR)`,
  pad: (image, size) => `ImageOps.pad(${image}, ${size}, Image.BILINEAR)`,
  squish: (image, size) => `${image}.resize(${size}, Image.BILINEAR)`,
  no: (image) => image,
};

/** README.md of an exported model: how Python and JavaScript use it. */
export function readme({
  classes,
  size,
  exif_orientation,
  resize_method,
  arch,
  mean,
  std,
}: ExportFacts): string {
  const [height, width] = size;
  const opened = 'Image.open("image.jpg")';
  const upright = exif_orientation === 'apply' ? `ImageOps.exif_transpose(${opened})` : opened;
  const fitted = pillow[resize_method](`${upright}.convert("RGB")`, `(${width}, ${height})`);
  const [less, over] = [mean, std].map((values) => `[${values.join(', ')}]`);
  const squeezes = resize_method === 'crop' || resize_method === 'pad';
  return `# An image classifier of ${classes.length} classes

| file | for |
|---|---|
| onnx/model.onnx | ONNX Runtime and whatever else reads ONNX (opset 17): input \`input\` [batch, 3, ${height}, ${width}], outputs \`probabilities\` and \`logits\` |
| tfjs/model.json | TF.js, in the browser or Node: input [batch, ${height}, ${width}, 3], output \`probabilities\` |
| safetensors/model.safetensors | PyTorch, under fastai's names |
| safetensors/torchvision.safetensors | PyTorch, under torchvision's names, the head in place of \`${arch === 'squeezenet1_1' ? 'classifier' : 'fc'}\` |
| labels.txt | the classes, in the order of the outputs |
| model-card.md, model.json | what it was trained on and how, and how well it does |

Pixels are RGB, divided by 255, less a mean, divided by a deviation. preprocess.json, beside each format, says how training fitted and interpolated images; the lines below come as close as Pillow and TF.js come.

## Python

\`\`\`python
import numpy as np, onnxruntime
from PIL import Image, ImageOps

image = ${fitted}
pixels = ((np.asarray(image) / 255 - ${less}) / ${over}).transpose(2, 0, 1)[None].astype("float32")
probabilities = onnxruntime.InferenceSession("onnx/model.onnx").run(["probabilities"], {"input": pixels})[0]
\`\`\`

## JavaScript

With \`@tensorflow/tfjs\`, and an \`<img>\`, canvas or video called \`image\`:

\`\`\`js
const model = await tf.loadGraphModel('tfjs/model.json');
const resized = tf.image.resizeBilinear(tf.browser.fromPixels(image), [${height}, ${width}], true);
const probabilities = await model.predict(tf.div(tf.sub(tf.div(tf.expandDims(resized), 255), ${less}), ${over})).data();
\`\`\`
${squeezes ? '\nThis squeezes the whole image into the input; to do as training did, give it the shape of the input first.\n' : ''}`;
}
