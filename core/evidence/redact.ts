import type { Container, Labels, Pod } from "../kubernetes.ts";

/** Holds the whole applied manifest, environment values included. */
const LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration";

/** A pod without the values of its environment, which are where secrets are put by hand. */
export function redactPod(pod: Pod): Pod {
  const { spec } = pod;
  return {
    ...pod,
    metadata: {
      ...pod.metadata,
      ...(pod.metadata.annotations && { annotations: redactAnnotations(pod.metadata.annotations) }),
    },
    spec: {
      ...spec,
      containers: spec.containers.map(redactContainer),
      ...(spec.initContainers && { initContainers: spec.initContainers.map(redactContainer) }),
      ...(spec.ephemeralContainers && {
        ephemeralContainers: spec.ephemeralContainers.map(redactContainer),
      }),
    },
  };
}

function redactContainer(container: Container): Container {
  if (!container.env) return container;
  const env = container.env.map((variable) =>
    variable.value === undefined ? variable : { ...variable, value: "[redacted]" },
  );
  return { ...container, env };
}

function redactAnnotations(annotations: Labels): Labels {
  return LAST_APPLIED in annotations
    ? { ...annotations, [LAST_APPLIED]: "[redacted]" }
    : annotations;
}
