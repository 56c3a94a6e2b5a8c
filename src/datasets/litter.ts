// Files that tools leave beside images, and that nobody means to train on.

const kinds: [RegExp, string][] = [
  [/(^|\/)(__MACOSX\/|\._[^/]*$|\.DS_Store$|\.AppleDouble\/)/i, 'left by macOS'],
  [
    /(^|\/)((Thumbs\.db|desktop\.ini|ehthumbs\.db)$|(\$RECYCLE\.BIN|System Volume Information)\/)/i,
    'left by Windows',
  ],
  [/(^|\/)@eaDir\//i, 'a preview that a Synology NAS made'],
  [/(^|\/)\.(thumbnails?|thumbs)\//i, 'a preview that a gallery made'],
  [/(^|\/)\.ipynb_checkpoints\//i, 'a copy that Jupyter made'],
  [/(^|\/)\.(git|svn|hg|dvc)(\/|$)/i, 'of version control'],
  [/(^|\/)\./, 'hidden: its name begins with a dot'],
];
const previews = /(^|\/)(thumbs|thumbnails?)\//i;

/** Why a file is none of the data set's, by its path alone; null where it may be. */
export function litterReason(path: string): string | null {
  return kinds.find(([pattern]) => pattern.test(path))?.[1] ?? null;
}

/** Whether a path lies in a folder of previews: litter where there are images outside of such folders. */
export function isPreview(path: string): boolean {
  return previews.test(path);
}
