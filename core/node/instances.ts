/**
 * Instances as far as keeping them alive needs it. Errors: `AwsUnavailable`, `AwsThrottled`,
 * `AwsDenied`; what the service refuses otherwise leaves as its own error.
 */
export interface Instances {
  /** Null when EC2 knows no such instance, or one that is ending. */
  lifecycleOf(instanceId: string): Promise<"spot" | "onDemand" | null>;
  isProtectedFromTermination(instanceId: string): Promise<boolean>;
  /** The Auto Scaling group that the instance is in; null when it is in none. */
  groupOf(instanceId: string): Promise<GroupMembership | null>;
  protectFromTermination(instanceId: string): Promise<void>;
  protectFromScaleIn(group: string, instanceId: string): Promise<void>;
}

export interface GroupMembership {
  readonly group: string;
  readonly protectedFromScaleIn: boolean;
}
