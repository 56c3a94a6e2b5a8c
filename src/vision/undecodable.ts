/** Why bytes are no image that can be used; for the report. */
export class Undecodable extends Error {}
