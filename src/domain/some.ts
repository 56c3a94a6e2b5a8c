/** A few of many names, quoted, with how many more there are; for a message. */
export function some(names: readonly string[], shown = 3): string {
  const first = names.slice(0, shown).map((name) => JSON.stringify(name.slice(0, 200)));
  const more = names.length - shown;
  return more > 0 ? `${first.join(', ')} and ${more} more` : first.join(', ');
}
