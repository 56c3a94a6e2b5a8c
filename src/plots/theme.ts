/** The colours of a chart, by what they say. A value is anything that an SVG attribute takes. */
export type Theme = {
  fontFamily: string;
  surface: string;
  ink: string;
  muted: string;
  rule: string;
  /** One for each line of a chart, told apart by the colour-blind too. */
  series: readonly [string, string, string, string];
  mark: string;
  /** Full cells of a heat map, and text on them. */
  heat: string;
  onHeat: string;
};

// the font that travels along: a picture looks the same wherever it is drawn
const fontFamily = 'DejaVu Sans';

export const lightTheme: Theme = {
  fontFamily,
  surface: '#ffffff',
  ink: '#1f2328',
  muted: '#59636e',
  rule: '#d8dee4',
  series: ['#1f6feb', '#c2570c', '#1a7f4b', '#8a46b8'],
  mark: '#cf222e',
  heat: '#0b5cc2',
  onHeat: '#ffffff',
};

export const darkTheme: Theme = {
  fontFamily,
  surface: '#0d1117',
  ink: '#e6edf3',
  muted: '#9aa4af',
  rule: '#30363d',
  series: ['#6cb0ff', '#ffa05c', '#5fd39a', '#cf9df5'],
  mark: '#ff7b72',
  heat: '#7ab8ff',
  onHeat: '#0d1117',
};

/** Colours by CSS variables, for a chart inside a page that says what they are: light, dark, or both in turn. */
export const pageTheme: Theme = {
  fontFamily: 'inherit',
  surface: 'transparent',
  ink: 'var(--ink)',
  muted: 'var(--muted)',
  rule: 'var(--rule)',
  series: ['var(--series-1)', 'var(--series-2)', 'var(--series-3)', 'var(--series-4)'],
  mark: 'var(--mark)',
  heat: 'var(--heat)',
  onHeat: 'var(--on-heat)',
};

/** The variables that pageTheme names, set to a theme's colours: the inside of a CSS rule. */
export function themeVariables(theme: Theme): string {
  const names = ['surface', 'ink', 'muted', 'rule', 'mark', 'heat'] as const;
  return [
    ...names.map((name) => `--${name}:${theme[name]}`),
    `--on-heat:${theme.onHeat}`,
    ...theme.series.map((colour, i) => `--series-${i + 1}:${colour}`),
  ].join(';');
}
