import type { Interpretation } from '../domain/interpretation.ts';
import { label } from './chart.ts';
import { escapeXml } from './escape-xml.ts';
import type { Theme } from './theme.ts';

type TopLoss = Interpretation['top_losses'][number];

const cell = { width: 210, height: 290, image: 194, letters: 30, nameLetters: 21 };
const columnsMax = 5;

/**
 * fastai's plot_top_losses as SVG: each image with where the model looked, what it predicted, what it is, the
 * loss, and the probability of what it is.
 */
export function topLossesSvg(losses: readonly TopLoss[], theme: Theme): string {
  const columns = Math.min(columnsMax, Math.max(3, Math.ceil(Math.sqrt(losses.length))));
  const width = columns * cell.width + 16;
  const height = 44 + Math.ceil(losses.length / columns) * cell.height;
  const cards = losses.map((loss, i) => {
    const x = 8 + (i % columns) * cell.width;
    const y = 44 + Math.floor(i / columns) * cell.height;
    return card(loss, theme, x, y);
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="${theme.fontFamily}">`,
    `<rect width="${width}" height="${height}" fill="${theme.surface}"/>`,
    `<text x="${width / 2}" y="24" font-size="15" text-anchor="middle" fill="${theme.ink}">Top losses</text>`,
    ...cards,
    '</svg>',
  ].join('\n');
}

function card(loss: TopLoss, theme: Theme, x: number, y: number): string {
  const picture = (uri: string) =>
    `<image x="${x + 8}" y="${y}" width="${cell.image}" height="${cell.image}" href="${escapeXml(uri)}"/>`;
  const lines = [
    [`predicted ${label(loss.predicted, cell.nameLetters)}`, theme.ink],
    [`actual ${label(loss.actual, cell.nameLetters)}`, theme.ink],
    [`loss ${loss.loss.toFixed(2)}, probability ${loss.probability.toFixed(2)}`, theme.muted],
    [label(shortened(loss.file), cell.letters), theme.muted],
  ] as const;
  const text = lines.map(
    ([words, colour], i) =>
      `<text x="${x + 8}" y="${y + cell.image + 18 + 17 * i}" font-size="11" fill="${colour}">${escapeXml(words)}</text>`,
  );
  return [picture(loss.image), loss.heat ? picture(loss.heat) : '', ...text].join('');
}

/** A file's name is told by its end. */
function shortened(file: string): string {
  const letters = [...file];
  const half = Math.floor((cell.letters - 1) / 2);
  return letters.length <= cell.letters
    ? file
    : `${letters.slice(0, half).join('')}…${letters.slice(-half).join('')}`;
}
