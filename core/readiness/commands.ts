/** Writes commands of the AWS CLI for one region, as a person would type them. */
export function awsIn(region: string): (command: string) => string {
  return (command) => `aws ${command} --region ${region}`;
}

/** A value as a quoted JSON argument of a shell command. */
export function json(value: unknown): string {
  return `'${JSON.stringify(value).replaceAll("'", `'\\''`)}'`;
}
