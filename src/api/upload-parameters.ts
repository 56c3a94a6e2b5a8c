import { z } from 'zod';
import { type DatasetOptions, Layout } from '../domain/dataset.ts';
import { EncodingLabel } from '../domain/encoding.ts';
import { fieldErrors } from '../domain/field-errors.ts';
import { problem } from '../domain/problem.ts';

/** What an uploader may say of an upload, in the query or as fields of the form. */
export const UploadParameters = z.strictObject({
  name: z.string().max(200).optional(),
  layout: Layout.optional(),
  pattern: z.string().min(1).max(1000).optional(),
  csv: z.string().min(1).max(1024).optional(),
  name_column: z.string().min(1).max(200).optional(),
  label_column: z.string().min(1).max(200).optional(),
  encoding: EncodingLabel.optional(),
});
export type UploadParameters = z.infer<typeof UploadParameters>;

/**
 * What was said, and one field of the form more.
 * @throws Problem `invalid_query` for an unknown field, a bad value, or another value than was said before
 */
export function withField<Shape extends z.ZodRawShape>(
  schema: z.ZodObject<Shape>,
  said: z.output<z.ZodObject<Shape>>,
  { name, value }: { name: string; value: string },
): z.output<z.ZodObject<Shape>> {
  const parsed = schema.safeParse({ [name]: value }, { reportInput: true });
  if (!parsed.success) {
    const errors = fieldErrors(parsed.error);
    const hint = `A form takes the file as \`file\`, and the fields ${Object.keys(schema.shape).join(', ')}.`;
    throw problem(
      'invalid_query',
      `Bad form field: ${errors.map(({ path, message }) => `${path}: ${message}`).join('; ')}`,
      { errors, hint },
    );
  }
  const before: unknown = said[name as keyof typeof said];
  if (before !== undefined && before !== value) {
    throw problem(
      'invalid_query',
      `${name} is said twice, as ${JSON.stringify(before)} and as ${JSON.stringify(value)}`,
      { errors: [{ path: name, message: 'expected one value' }] },
    );
  }
  return { ...said, ...parsed.data };
}

/** All that was said, complete. @throws Problem `invalid_query` where two parameters contradict each other */
export function completeParameters(said: UploadParameters): { name: string } & DatasetOptions {
  const { name = '', layout = 'auto', pattern = null } = said;
  if ((layout === 'name_re') !== (pattern !== null)) {
    throw problem('invalid_query', 'layout=name_re and pattern=<regular expression> go together', {
      errors: [{ path: 'pattern', message: 'expected with layout=name_re, and only there' }],
    });
  }
  return {
    name,
    layout,
    pattern,
    csv: said.csv ?? null,
    name_column: said.name_column ?? null,
    label_column: said.label_column ?? null,
    encoding: said.encoding ?? null,
  };
}
