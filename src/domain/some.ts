/** The first names of a list, quoted, with how many more there are. */
export function some(names: readonly string[], shown = 5): string {
  const first = names.slice(0, shown).map((name) => JSON.stringify(name));
  return names.length > shown
    ? `${first.join(', ')} and ${names.length - shown} more`
    : first.join(', ');
}
