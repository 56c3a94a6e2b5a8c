// What a file is by its name, where it is no image.

const archives = /\.(zip|tar|tgz|gz|bz2|xz|zst|7z|rar|tar\.\w+)$/i;
const videos = /\.(mp4|m4v|mov|avi|mkv|webm|mpe?g|wmv|flv|3gp)$/i;
const known =
  /\.(txt|md|rst|html?|css|js|json|jsonl|geojson|ya?ml|xml|toml|ini|cfg|log|csv|tsv|tab|xlsx?|ods|docx?|pdf|pptx?|py|ipynb|m|r|sh|bat|c|h|cpp|java|mat|npy|npz|pkl|pickle|h5|hdf5|pt|pth|onnx|safetensors|parquet|arrow|feather|tfrecords?|db|sqlite|wav|mp3|flac|ogg|exe|dll|so|names|data|cache|sha256|md5)$/i;

/** Whether a name says that the file is something else than an image, so that its bytes need not be looked at. */
export function isOtherKind(path: string): boolean {
  return known.test(path) || videos.test(path) || isArchiveName(path);
}

export function isArchiveName(path: string): boolean {
  return archives.test(path);
}

/** Why a file that is no image is none. */
export function otherKindReason(path: string): string {
  if (isArchiveName(path)) return 'an archive within the archive, which is not unpacked';
  if (videos.test(path)) return 'a video: cut frames out of it to use it';
  const extension = /[^/]\.([a-z0-9]{1,10})$/i.exec(path)?.[1];
  return extension && known.test(path)
    ? `not an image (.${extension.toLowerCase()})`
    : 'not an image by its first bytes';
}
