import { type Logger, pino } from 'pino';

/** JSON lines on stdout; `name` is the process that speaks. Keys never reach a log. */
export function createLogger(level: string, name: string): Logger {
  return pino({
    level,
    name,
    timestamp: pino.stdTimeFunctions.isoTime,
    serializers: { error: pino.stdSerializers.errWithCause },
    redact: ['req.headers.authorization'],
  });
}
