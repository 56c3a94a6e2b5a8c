// HTML by tagged templates: what is filled in is escaped, unless it is HTML already.

import { shownName } from '../chart.ts';
import { escapeXml } from '../escape-xml.ts';

/** HTML that is safe to be part of a page. */
export type Html = { readonly html: string };
type Filling = Html | string | number | null | false | readonly Filling[];

/** A piece of HTML: strings are escaped, pieces and lists of them are not, null and false leave nothing. */
export function html(parts: TemplateStringsArray, ...fillings: Filling[]): Html {
  const filled = parts.map((part, i) => part + textOf(fillings[i] ?? null));
  return { html: filled.join('') };
}

/** Markup that our own code made. */
export function trusted(markup: string): Html {
  return { html: markup };
}

/** What somebody else named, in a direction of its own, on one line, not longer than a line of a page. */
export function nameOf(text: string): Html {
  return html`<bdi>${shownName(text, 200)}</bdi>`;
}

function textOf(filling: Filling): string {
  if (filling === null || filling === false) return '';
  if (typeof filling === 'string') return escapeXml(filling);
  if (typeof filling === 'number') return String(filling);
  if (Array.isArray(filling)) return filling.map(textOf).join('');
  return (filling as Html).html;
}
