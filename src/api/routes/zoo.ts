import { readdir } from 'node:fs/promises';
import type { FastifyInstance } from 'fastify';
import { officialBodies, type ZooBody } from '../../domain/zoo.ts';
import type { ApiDeps } from '../deps.ts';

/** Which pretrained bodies a spec can name, and whether each is here or has yet to be fetched. */
export async function zooRoutes(app: FastifyInstance, { records, zooDir }: ApiDeps): Promise<void> {
  app.get('/zoo', async () => {
    const [mirrored, stored, local] = await Promise.all([
      records.getMirrorIndex(),
      records.zooFiles(),
      readdir(zooDir).catch(() => []),
    ]);
    const files = new Set([...stored, ...local]);
    const known = [...mirrored, ...officialBodies.filter((body) => !replaced(body, mirrored))];
    const data = known.map((body) => {
      const byHand = body.source === 'torchvision' ? [`${body.arch}-imagenet`] : [];
      const names = [body.file, ...byHand.flatMap(namesOf)];
      return { ...body, at_hand: names.some((name) => files.has(name)) };
    });
    const taken = new Set(
      known.flatMap(({ file, arch }) => [file, ...namesOf(`${arch}-imagenet`)]),
    );
    const others = [...files]
      .filter((file) => /^[a-z0-9].*\.(safetensors|pth)$/.test(file) && !taken.has(file))
      .sort()
      .map((file) => ({
        name: file.replace(/\.(safetensors|pth)$/, ''),
        file,
        source: 'by hand',
        at_hand: true,
      }));
    return { data: [...data, ...others] };
  });
}

function namesOf(name: string): string[] {
  return [`${name}.safetensors`, `${name}.pth`];
}

/** Whether the mirror has a body of its own under this name. */
function replaced({ arch }: ZooBody, mirrored: readonly ZooBody[]): boolean {
  return mirrored.some((body) => body.arch === arch && ['imagenet', arch].includes(body.name));
}
