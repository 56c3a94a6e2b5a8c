// status.json is a fold over the event log plus what only the supervisor knows (attempts). Pure, so that
// a worker that takes a job over replays the events behind the last status and stands where the other stood.

import type { EventBody, JobEvent } from '../../src/domain/event.ts';
import type { JobProgress, JobState, JobStatus } from '../../src/domain/job.ts';
import type { Spec } from '../../src/domain/spec.ts';
import { planPhases } from '../../src/learner/phase-plan.ts';

/** A job nobody has worked on yet; event 1 is `queued`, which the API derives from job.json. */
export function newStatus(createdAt: string): JobStatus {
  return {
    state: 'queued',
    transitions: [{ state: 'queued', time: createdAt }],
    attempts: [],
    progress: null,
    epochs: [],
    suggestions: null,
    evaluation: null,
    engine: null,
    body: null,
    dataset_digest: null,
    model: null,
    error: null,
    warnings: [],
    last_seq: 1,
    updated_at: createdAt,
  };
}

/** The status with a new state and the time it began; the same state again changes nothing. */
export function enter(status: JobStatus, state: JobState, time: string): JobStatus {
  if (status.state === state) return status;
  return { ...status, state, transitions: [...status.transitions, { state, time }] };
}

/** The status of a job whose next attempt begins now; an attempt left open belonged to a worker that is gone. */
export function beginAttempt(status: JobStatus, time: string): JobStatus {
  const closed = status.attempts.map((attempt) =>
    attempt.ended_at === null ? { ...attempt, ended_at: time, end: 'worker lost' } : attempt,
  );
  const attempt = closed.length + 1;
  const next = { attempt, started_at: time, ended_at: null, end: null, progressed: false };
  return enter({ ...status, attempts: [...closed, next] }, 'running', time);
}

/** The status with its open attempt ended for the reason `end`. */
export function endAttempt(status: JobStatus, end: string, time: string): JobStatus {
  const attempts = status.attempts.map((attempt) =>
    attempt.ended_at === null ? { ...attempt, ended_at: time, end } : attempt,
  );
  return { ...status, attempts };
}

/** Steps of each phase as it is run (a fine_tune is two), estimated before training says exactly. */
export function plannedSteps(spec: Spec, trainImages: number): number[] {
  const perEpoch = (batchSize: number) => Math.max(1, Math.floor(trainImages / batchSize));
  return planPhases(spec).map(({ phase, data }) =>
    phase.type === 'lr_find' ? phase.num_it : phase.epochs * perEpoch(data.batch_size),
  );
}

/** What the fold needs to know of the job to say how far it is. */
export type ProgressPlan = { steps: number[]; batchSize: number };

/** The status after `event`. */
export function applyEvent(status: JobStatus, event: JobEvent, plan: ProgressPlan): JobStatus {
  const { time } = event;
  const next = { ...change(status, event, plan), last_seq: event.seq, updated_at: time };
  switch (event.type) {
    case 'succeeded':
    case 'failed':
    case 'cancelled':
      return enter(next, event.type, time);
    default:
      return next;
  }
}

function change(status: JobStatus, event: EventBody, plan: ProgressPlan): JobStatus {
  switch (event.type) {
    case 'started':
      return { ...status, engine: event.engine, body: event.body };
    case 'resumed':
      // what was trained behind the checkpoint is trained again
      return { ...status, epochs: status.epochs.filter((row) => row.phase <= event.phase) };
    case 'lr_find.started':
      return { ...status, progress: progress(plan, event.phase, 'lr_find', { ...event, step: 0 }) };
    case 'phase.started':
      return {
        ...status,
        progress: progress(plan, event.phase, event.name, { ...event, step: 0 }),
      };
    case 'lr_find.step':
    case 'step': {
      const name = event.type === 'step' ? (status.progress?.phase_name ?? '') : 'lr_find';
      return { ...status, progress: progress(plan, event.phase, name, event) };
    }
    case 'evaluate.step':
      return { ...status, progress: progress(plan, event.phase, 'evaluate', event) };
    case 'evaluate.finished':
      return { ...status, evaluation: event.result };
    case 'lr_find.finished':
      return { ...status, suggestions: event.suggestions };
    case 'epoch.finished': {
      const { row } = event;
      const others = status.epochs.filter((e) => e.phase !== row.phase || e.epoch !== row.epoch);
      return { ...status, epochs: [...others, row] };
    }
    case 'checkpoint.saved': {
      const attempts = status.attempts.map((attempt) =>
        attempt.ended_at === null ? { ...attempt, progressed: true } : attempt,
      );
      return { ...status, attempts };
    }
    case 'succeeded': {
      const finished = status.progress && { ...status.progress, percent: 100, eta_seconds: 0 };
      return { ...status, model: event.model, progress: finished };
    }
    case 'warning':
      if (status.warnings.includes(event.message)) return status;
      return { ...status, warnings: [...status.warnings, event.message] };
    case 'failed':
      return { ...status, error: event.error };
    default:
      return status;
  }
}

type Position = { epoch?: number; step: number; steps: number; images_per_second?: number };

function progress(plan: ProgressPlan, phase: number, name: string, at: Position): JobProgress {
  const sum = (steps: number[]) => steps.reduce((total, n) => total + n, 0);
  const total = Math.max(1, sum(plan.steps));
  const share = at.steps > 0 ? Math.min(1, at.step / at.steps) : 0;
  const done = sum(plan.steps.slice(0, phase)) + (plan.steps[phase] ?? 0) * share;
  const rate = at.images_per_second ?? 0;
  return {
    phase,
    phase_name: name,
    epoch: at.epoch ?? 0,
    step: at.step,
    steps: at.steps,
    percent: Math.min(100, Math.round((1000 * done) / total) / 10),
    images_per_second: rate > 0 ? rate : null,
    eta_seconds: rate > 0 ? Math.round(((total - done) * plan.batchSize) / rate) : null,
  };
}
