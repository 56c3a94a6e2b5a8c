// Ceph's radosgw, a real S3 server from Debian's packages: one monitor, one storage daemon in memory, one
// gateway, in a temporary folder. null where it is not installed.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '../../src/queue/free-port.ts';

export const accessKey = 'testkey';
export const secretKey = 'testsecret123';

export type S3Server = { endpoint: string; close(): Promise<void> };

export async function startRadosgw(): Promise<S3Server | null> {
  for (const program of [
    'radosgw',
    'ceph-mon',
    'ceph-osd',
    'ceph',
    'ceph-authtool',
    'monmaptool',
  ]) {
    if (spawnSync('which', [program]).status !== 0) return null;
  }
  const dir = await mkdtemp(join(tmpdir(), 'onecycle-rgw-'));
  for (const name of ['mon', 'osd', 'run', 'log', 'rgw']) await mkdir(join(dir, name));
  const [port, monPort, monPortV1] = [await freePort(), await freePort(), await freePort()];
  const id = randomUUID();
  await writeFile(join(dir, 'ceph.conf'), configuration(dir, id, { port, monPort, monPortV1 }));
  const keyring = join(dir, 'keyring');
  const daemons: ChildProcess[] = [];
  const run = (program: string, ...args: string[]) => {
    const done = spawnSync(program, args, { encoding: 'utf8' });
    if (done.status !== 0) throw new Error(`${program} ${args.join(' ')}: ${done.stderr}`);
    return done.stdout;
  };
  const ceph = (...args: string[]) => run('ceph', '-c', join(dir, 'ceph.conf'), ...args);
  const daemon = (program: string, ...args: string[]) => {
    daemons.push(
      spawn(program, ['-c', join(dir, 'ceph.conf'), ...args, '-f'], { stdio: 'ignore' }),
    );
  };
  const key = (name: string, ...caps: string[]) =>
    run(
      'ceph-authtool',
      keyring,
      '--gen-key',
      '-n',
      name,
      ...caps.flatMap((cap) => ['--cap', ...(cap.split('=') as [string, string])]),
    );
  const close = async () => {
    for (const child of daemons.toReversed()) {
      if (child.exitCode !== null) continue;
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
    }
    await rm(dir, { recursive: true, force: true });
  };
  try {
    run(
      'ceph-authtool',
      '--create-keyring',
      keyring,
      '--gen-key',
      '-n',
      'mon.',
      '--cap',
      'mon',
      'allow *',
    );
    key('client.admin', 'mon=allow *', 'osd=allow *', 'mgr=allow *');
    key('client.rgw', 'mon=allow *', 'osd=allow *');
    key('osd.0', 'mon=allow profile osd', 'osd=allow *');
    const monmap = join(dir, 'monmap');
    run(
      'monmaptool',
      '--create',
      '--fsid',
      id,
      '--addv',
      'a',
      `[v2:127.0.0.1:${monPort},v1:127.0.0.1:${monPortV1}]`,
      monmap,
    );
    run(
      'ceph-mon',
      '-c',
      join(dir, 'ceph.conf'),
      '-i',
      'a',
      '--mkfs',
      '--monmap',
      monmap,
      '--keyring',
      keyring,
    );
    daemon('ceph-mon', '-i', 'a');
    await until(
      () =>
        spawnSync('ceph', ['-c', join(dir, 'ceph.conf'), '--connect-timeout', '2', '-s']).status ===
        0,
    );
    const osd = randomUUID();
    ceph('osd', 'new', osd);
    run('ceph-osd', '-c', join(dir, 'ceph.conf'), '-i', '0', '--mkfs', '--osd-uuid', osd);
    daemon('ceph-osd', '-i', '0');
    await until(() => ceph('osd', 'stat').includes('1 up'));
    daemon('radosgw', '-n', 'client.rgw');
    const endpoint = `http://127.0.0.1:${port}`;
    await until(async () => (await fetch(endpoint).catch(() => null)) !== null);
    run(
      'radosgw-admin',
      '-c',
      join(dir, 'ceph.conf'),
      '-n',
      'client.rgw',
      'user',
      'create',
      '--uid=test',
      '--display-name=test',
      `--access-key=${accessKey}`,
      `--secret=${secretKey}`,
    );
    return { endpoint, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Asks again and again, for a minute. */
async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + 60_000;
  while (!(await isSo())) {
    if (Date.now() > end) throw new Error('a part of Ceph did not come up within a minute');
    await delay(100);
  }
}

function configuration(
  dir: string,
  id: string,
  { port, monPort, monPortV1 }: { port: number; monPort: number; monPortV1: number },
): string {
  return `[global]
fsid = ${id}
mon_host = [v2:127.0.0.1:${monPort},v1:127.0.0.1:${monPortV1}]
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
auth_cluster_required = cephx
auth_service_required = cephx
auth_client_required = cephx
keyring = ${dir}/keyring
auth_allow_insecure_global_id_reclaim = false
run_dir = ${dir}/run
admin_socket = ${dir}/run/$cluster-$name.$pid.asok
log_file = ${dir}/log/$name.log
pid_file = ${dir}/run/$name.pid
crash_dir = ${dir}/crash
osd_pool_default_size = 1
osd_pool_default_min_size = 1
mon_allow_pool_size_one = true
mon_warn_on_pool_no_redundancy = false
osd_crush_chooseleaf_type = 0
osd_pool_default_pg_num = 1
osd_pool_default_pgp_num = 1
osd_pool_default_pg_autoscale_mode = off
mon_max_pg_per_osd = 1000
[mon]
paxos_propose_interval = 0.02
paxos_min_wait = 0.01
mon_data = ${dir}/mon
mon_initial_members = a
mon_cluster_log_file = ${dir}/log/cluster.log
mon_data_avail_crit = 1
mon_data_avail_warn = 2
[osd]
osd_data = ${dir}/osd
osd_objectstore = memstore
memstore_device_bytes = 4294967296
osd_memory_target = 939524096
osd_class_load_list = *
osd_class_default_list = *
osd_max_object_name_len = 460
osd_max_object_namespace_len = 64
[client.rgw]
rgw_data = ${dir}/rgw
rgw_frontends = beast endpoint=127.0.0.1:${port}
rgw_enable_usage_log = false
rgw_enable_ops_log = false
rgw_dynamic_resharding = false
`;
}
