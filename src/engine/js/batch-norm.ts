import type { BatchNormAttrs } from '../ops/batch-norm.ts';
import { type JsKernel, type JsTensor, need, zeros } from './kernel.ts';

const forward: JsKernel = (inputs, attrs: BatchNormAttrs) => {
  const x = need(inputs, 'x');
  const gamma = need(inputs, 'gamma').values;
  const beta = need(inputs, 'beta').values;
  const channels = x.shape.at(-1) ?? 1;
  const { mean, variance } = attrs.training ? batchStatistics(x, channels) : running(inputs);
  if (attrs.training && attrs.updateRunning) {
    const rows = x.values.length / channels;
    const { momentum } = attrs;
    const old = running(inputs);
    for (let c = 0; c < channels; c++) {
      const unbiased = (variance[c]! * rows) / (rows - 1);
      old.mean[c] = (1 - momentum) * old.mean[c]! + momentum * mean[c]!;
      old.variance[c] = (1 - momentum) * old.variance[c]! + momentum * unbiased;
    }
  }
  const y = zeros(x.shape);
  const usedMean = zeros([channels]);
  const inverseStd = zeros([channels]);
  for (let c = 0; c < channels; c++) {
    usedMean.values[c] = mean[c]!;
    inverseStd.values[c] = 1 / Math.sqrt(variance[c]! + attrs.eps);
  }
  const residual = inputs.residual?.values;
  for (let at = 0; at < x.values.length; at++) {
    const c = at % channels;
    const normal = (x.values[at]! - mean[c]!) * inverseStd.values[c]!;
    const value = normal * gamma[c]! + beta[c]! + (residual?.[at] ?? 0);
    y.values[at] = attrs.relu && value < 0 ? 0 : value;
  }
  return [y, usedMean, inverseStd];
};

const backward: JsKernel = (inputs, attrs: BatchNormAttrs) => {
  const dy = need(inputs, 'dy').values;
  const x = need(inputs, 'x');
  const y = need(inputs, 'y').values;
  const gamma = need(inputs, 'gamma').values;
  const mean = need(inputs, 'mean').values;
  const inverseStd = need(inputs, 'inverseStd').values;
  const channels = x.shape.at(-1) ?? 1;
  const rows = x.values.length / channels;
  const [dx, dgamma, dbeta] = [zeros(x.shape), zeros([channels]), zeros([channels])];
  const dresidual = zeros(attrs.hasResidual ? x.shape : [0]);
  const through = (at: number) => (attrs.relu && !(y[at]! > 0) ? 0 : dy[at]!);
  const sums = { dy: new Float64Array(channels), dyNormal: new Float64Array(channels) };
  for (let at = 0; at < x.values.length; at++) {
    const c = at % channels;
    const g = through(at);
    if (attrs.hasResidual) dresidual.values[at] = g;
    sums.dy[c]! += g;
    sums.dyNormal[c]! += g * (x.values[at]! - mean[c]!) * inverseStd[c]!;
  }
  dgamma.values.set(sums.dyNormal);
  dbeta.values.set(sums.dy);
  for (let at = 0; at < x.values.length; at++) {
    const c = at % channels;
    const normal = (x.values[at]! - mean[c]!) * inverseStd[c]!;
    // running statistics do not depend on x, batch statistics do
    const shared = attrs.training ? (sums.dy[c]! + normal * sums.dyNormal[c]!) / rows : 0;
    dx.values[at] = gamma[c]! * inverseStd[c]! * (through(at) - shared);
  }
  return attrs.hasResidual ? [dx, dgamma, dbeta, dresidual] : [dx, dgamma, dbeta];
};

function running(inputs: Record<string, JsTensor | undefined>) {
  return { mean: need(inputs, 'runningMean').values, variance: need(inputs, 'runningVar').values };
}

function batchStatistics({ values }: JsTensor, channels: number) {
  const rows = values.length / channels;
  const mean = new Float64Array(channels);
  const variance = new Float64Array(channels);
  for (let at = 0; at < values.length; at++) mean[at % channels]! += values[at]! / rows;
  for (let at = 0; at < values.length; at++) {
    const c = at % channels;
    variance[c]! += (values[at]! - mean[c]!) ** 2 / rows;
  }
  return { mean, variance };
}

export const batchNormKernels = { OcBatchNorm: forward, OcBatchNormGrad: backward };
