// A page as a browser reads it: by parse5, which follows the HTML standard.

import { type DefaultTreeAdapterTypes, parse } from 'parse5';

type Node = DefaultTreeAdapterTypes.Node;
type Element = DefaultTreeAdapterTypes.Element;

function nodesOf(node: Node): Node[] {
  return 'childNodes' in node ? [node, ...node.childNodes.flatMap(nodesOf)] : [node];
}

/** Every element of a page. */
export function elementsOf(page: string): Element[] {
  return nodesOf(parse(page)).filter((node): node is Element => 'tagName' in node);
}

/** What a reader can read. */
export function textOf(page: string): string {
  const texts = nodesOf(parse(page)).flatMap((node) =>
    'value' in node && node.parentNode?.nodeName !== 'style' ? [node.value] : [],
  );
  return texts.join('');
}

/** Whatever of a page would run, or be fetched from elsewhere. */
export function fetchedBy(page: string): string[] {
  return elementsOf(page).flatMap(({ tagName, attrs, childNodes }) => {
    const found = ['script', 'iframe', 'object', 'embed', 'link', 'base', 'form'].includes(tagName)
      ? [tagName]
      : [];
    for (const { name, value } of attrs) {
      const address = /^(src|srcset|href|action|data|poster|background)$/.test(name);
      const own = /^data:image\/(png|jpeg);base64,[A-Za-z0-9+/=]*$/.test(value);
      if (name.startsWith('on') || (address && !own)) found.push(`${name}="${value}"`);
      if (/url\((?!#)/.test(value)) found.push(`${name}="${value}"`);
      if (name === 'http-equiv' && value !== 'content-security-policy') found.push(value);
    }
    const css =
      tagName === 'style' ? childNodes.map((n) => ('value' in n ? n.value : '')).join() : '';
    return /url\(|@import/.test(css) ? [...found, css] : found;
  });
}
