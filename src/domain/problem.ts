// Every error that a caller can cause or act on, in one table: the API's answers, a job's `error` and
// the documentation all come from it.

/** Stable codes; each maps to an HTTP status, a title and what the caller can do. */
const problemCodes = {
  unauthorized: [401, 'The API key is missing or wrong', 'Send `Authorization: Bearer <key>`.'],
  not_found: [
    404,
    'Nothing here by that id',
    'Check the id; another owner’s things answer 404 too.',
  ],
  route_not_found: [404, 'No such call', 'See the README for the calls.'],
  wrong_state: [
    409,
    'Not possible in this state',
    'Read the state first; it is named in `detail`.',
  ],
  upload_too_large: [413, 'The upload is over the limit', 'Raise MAX_UPLOAD_BYTES or send less.'],
  body_too_large: [
    413,
    'The JSON body is over the limit',
    'A spec is some thousand bytes; files go to POST /v1/datasets.',
  ],
  headers_too_large: [431, 'The head of the request is too large', 'Send fewer, shorter headers.'],
  request_timeout: [
    408,
    'The request did not come in time',
    'Send it again, without long pauses in between.',
  ],
  unsupported_media_type: [
    415,
    'This content type is not understood here',
    'Send what the call describes.',
  ],
  invalid_request: [400, 'The request could not be read', 'See `detail`.'],
  invalid_spec: [422, 'The spec is not valid', 'Mend each field that `errors` names.'],
  invalid_query: [422, 'A parameter is not valid', 'Mend each parameter that `errors` names.'],
  dataset_unknown: [422, 'The spec names a data set that does not exist', 'Upload it first.'],
  dataset_failed: [
    422,
    'The data set could not be prepared',
    'Read its error, mend it, upload it again.',
  ],
  dataset_empty: [
    422,
    'The data set holds no usable image',
    'See the report for what was skipped and why.',
  ],
  dataset_layout: [
    422,
    'The images are not laid out as expected',
    'See `detail` for the layouts understood.',
  ],
  dataset_one_class: [
    422,
    'There is only one class',
    'Training needs images of at least two classes.',
  ],
  dataset_class_empty: [
    422,
    'A class has no usable image',
    'See the report; mend or remove the class.',
  ],
  dataset_limit: [422, 'The data set is over a limit', 'The limit is named in `detail`.'],
  not_an_archive: [
    422,
    'The upload is not a zip, tar or tar.gz',
    'Send the archive file itself as the body.',
  ],
  archive_broken: [
    422,
    'The archive is damaged',
    'Pack it again; check the upload with sha256sum.',
  ],
  archive_encrypted: [
    422,
    'The archive is password-protected',
    'Pack it again without a password.',
  ],
  archive_unsafe: [
    422,
    'The archive holds entries that are refused',
    'Remove the entries named in `detail`.',
  ],
  archive_limit: [422, 'The archive is over a limit', 'The limit is named in `detail`.'],
  encoding_unknown: [
    422,
    'The encoding of a name or a table is not known',
    'Say it: ?encoding=shift_jis, for example; or use UTF-8.',
  ],
  labels_invalid: [422, 'A table of labels could not be read', 'Mend the line named in `detail`.'],
  labels_ambiguous: [
    422,
    'More than one thing may be the label',
    'Say it outright: layout, csv, name_column, label_column.',
  ],
  sizes_differ: [422, 'The images have different sizes', 'Set `data.size`, 224 for example.'],
  images_too_small: [
    422,
    'The images are too small for this architecture',
    'Set `data.size`, 224 for example.',
  ],
  no_test_split: [
    422,
    'The data set has no labelled test images',
    'Upload a test/ folder with a folder per class, or leave out `evaluation.test`.',
  ],
  split_empty: [
    422,
    'The data set has no labelled image in that split',
    'Leave out `split` for all of its images.',
  ],
  batch_too_large: [
    422,
    'There are fewer training images than one batch',
    'Lower `data.batch_size`.',
  ],
  pretrained_unknown: [
    422,
    'The pretrained body cannot be had',
    'See `detail` for the file and the setting.',
  ],
  weights_invalid: [
    422,
    'The weights file cannot be used',
    'See `detail` for the place in the file, or the names that do not fit.',
  ],
  classes_differ: [
    422,
    'The model was trained on other classes',
    'Leave `head` out for a new one, or train on the classes that `detail` names.',
  ],
  model_failed: [
    422,
    'The weights of the model could not be taken in',
    'Read its error, mend it, upload it again.',
  ],
  model_not_exported: [
    409,
    'The model has no ONNX export',
    'Models of an earlier version have none: train it again.',
  ],
  image_unusable: [422, 'An image cannot be predicted', 'See `errors` for which, and why.'],
  image_too_large: [413, 'The images are over the limit', 'Send smaller images, or fewer at once.'],
  predictor_busy: [
    503,
    'Too many predictions wait already',
    'Try again after as many seconds as Retry-After says.',
  ],
  model_unknown: [422, 'The model does not exist', 'Check the id.'],
  diverged: [
    422,
    'The loss became NaN, infinite, or stayed far worse than guessing',
    'Lower max_lr; read lr-find for a good value.',
  ],
  no_suggestion: [422, 'The LR finder gave no suggestion', 'Give max_lr as a number.'],
  trainer_crashed: [
    500,
    'The trainer died three times with no progress',
    'See `detail`; lower batch_size or size.',
  ],
  engine_unavailable: [500, 'The engine cannot be loaded', 'See `detail` for what was tried.'],
  storage_unavailable: [
    503,
    'The object store does not answer',
    'Try again; what was acknowledged is safe.',
  ],
  queue_unavailable: [503, 'Redis does not answer', 'Try again; what was acknowledged is safe.'],
  internal: [500, 'Something broke on our side', 'Report it with the request id.'],
} as const satisfies Record<string, readonly [number, string, string]>;

export type ProblemCode = keyof typeof problemCodes;

/** One bad field: a JSON path such as `phases.1.max_lr`, and what was expected there. */
export type FieldError = { path: string; message: string };

/** An error that a caller can cause or act on. Anything else that is thrown is a bug. */
export class Problem extends Error {
  readonly code: ProblemCode;
  readonly hint: string;
  readonly errors: FieldError[];

  constructor(
    code: ProblemCode,
    detail: string,
    options: { hint?: string; errors?: FieldError[]; cause?: unknown } = {},
  ) {
    super(detail, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'Problem';
    this.code = code;
    this.hint = options.hint ?? problemCodes[code][2];
    this.errors = options.errors ?? [];
  }

  get status(): number {
    return problemCodes[this.code][0];
  }

  get title(): string {
    return problemCodes[this.code][1];
  }
}

/** A Problem, ready to throw: `throw problem('dataset_empty', 'No image under train/ ...')`. */
export function problem(
  code: ProblemCode,
  detail: string,
  options?: { hint?: string; errors?: FieldError[]; cause?: unknown },
): Problem {
  return new Problem(code, detail, options);
}
