/**
 * The stacks as a picture: what runs in a stage, stack by stack, and what refers to what. Made from
 * the synthesized templates, so that it cannot show what is not deployed.
 */
import * as z from "zod";

const Template = z.object({
  Resources: z
    .record(
      z.string(),
      z.object({ Type: z.string(), Properties: z.record(z.string(), z.unknown()).default({}) }),
    )
    .default({}),
  Outputs: z
    .record(
      z.string(),
      z.object({ Value: z.unknown(), Export: z.object({ Name: z.string() }).optional() }),
    )
    .default({}),
});
type Template = z.infer<typeof Template>;

/** How each kind that is shown is drawn, around its label. */
const SHAPES: Readonly<Record<string, readonly [open: string, close: string]>> = {
  "AWS::Lambda::Function": ["(", ")"],
  "AWS::StepFunctions::StateMachine": ["{{", "}}"],
  "AWS::SQS::Queue": ["[/", "/]"],
  "AWS::Pipes::Pipe": [">", "]"],
  "AWS::Events::EventBus": ["([", "])"],
  "AWS::Events::Rule": [">", "]"],
  "AWS::SNS::Topic": ["([", "])"],
  "AWS::SSM::Parameter": ["[", "]"],
  "AWS::S3::Bucket": ["[(", ")]"],
  "AWS::EKS::Cluster": ["[[", "]]"],
  "AWS::EKS::Nodegroup": ["[[", "]]"],
  "AWS::EC2::Instance": ["[[", "]]"],
  "AWS::EC2::FlowLog": [">", "]"],
  "AWS::ECR::Repository": ["[(", ")]"],
  "AWS::Athena::WorkGroup": ["[", "]"],
};

/** Mermaid text of the templates, by the name of their stack. */
export function diagramOf(stacks: ReadonlyMap<string, unknown>): string {
  const templates = new Map(
    [...stacks].map(([name, template]) => [name, Template.parse(template)] as const),
  );
  const exported = exportsOf(templates);
  const shown = new Set<string>();
  const lines = ["flowchart LR"];
  for (const [stack, { Resources }] of templates) {
    const nodes = Object.entries(Resources).filter(([, each]) => isShown(each));
    const endpoints = endpointsOf(Resources);
    if (nodes.length + endpoints.length === 0) continue;
    lines.push(`  subgraph ${stack}`);
    for (const [id, { Type, Properties }] of nodes) {
      const [open, close] = SHAPES[Type] ?? ["[", "]"];
      const key = `${stack}.${id}`;
      shown.add(key);
      lines.push(`    ${nodeId(key)}${open}"${labelOf(id, Type, Properties)}"${close}`);
    }
    if (endpoints.length > 0) {
      lines.push(`    ${stack}_endpoints["endpoints: ${endpoints.join(", ")}"]`);
    }
    lines.push("  end");
  }
  const edges = new Set<string>();
  for (const [stack, template] of templates) {
    for (const [from, to] of referencesIn(stack, template, exported)) {
      if (from !== to && shown.has(from) && shown.has(to)) {
        edges.add(`  ${nodeId(from)} --> ${nodeId(to)}`);
      }
    }
  }
  return [...lines, ...edges].join("\n");
}

function isShown({ Type, Properties }: Template["Resources"][string]): boolean {
  // SST notes the name of each function in a parameter, and CDK brings a nameless function of its own.
  const ofSst = Type === "AWS::SSM::Parameter" && String(Properties.Name).startsWith("/sst/");
  const ofCdk = Type === "AWS::Lambda::Function" && Properties.FunctionName === undefined;
  return Type in SHAPES && !ofSst && !ofCdk;
}

function labelOf(id: string, type: string, properties: Readonly<Record<string, unknown>>): string {
  const kind = type.split("::").at(-1);
  // The name of a function ends in that of its state; a logical id ends in a hash of CDK's.
  const text =
    type === "AWS::Lambda::Function" ? String(properties.FunctionName).split("-").at(-1) : null;
  return `${text ?? id.replace(/(StateMachine)?[0-9A-F]{8}$/, "")}<br/><small>${kind}</small>`;
}

function endpointsOf(resources: Template["Resources"]): readonly string[] {
  return Object.values(resources)
    .filter(({ Type }) => Type === "AWS::EC2::VPCEndpoint")
    .map(({ Properties: { VpcEndpointType, ServiceName } }) =>
      VpcEndpointType === "Gateway"
        ? "s3 (gateway)"
        : String(ServiceName).replace(/^com\.amazonaws\.[^.]+\./, ""),
    )
    .toSorted();
}

function nodeId(key: string): string {
  return key.replaceAll(/[^A-Za-z0-9]/g, "_");
}

/** What each export of a stack stands for. */
function exportsOf(templates: ReadonlyMap<string, Template>): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const [stack, { Outputs }] of templates) {
    for (const { Value, Export } of Object.values(Outputs)) {
      const [id] = [...idsIn(Value)];
      if (Export && id !== undefined) found.set(Export.Name, `${stack}.${id}`);
    }
  }
  return found;
}

/** `[from, to]` of every reference; what a role may do counts as a reference of whoever bears it. */
function referencesIn(
  stack: string,
  { Resources }: Template,
  exported: ReadonlyMap<string, string>,
): readonly (readonly [string, string])[] {
  // A function is told of more in its environment than its role lets it use.
  const usedBy = ({ Type, Properties }: Template["Resources"][string]) =>
    Type === "AWS::Lambda::Function" ? Properties.Role : Properties;
  const targetsIn = (value: unknown) => [
    ...[...idsIn(value)].map((id) => `${stack}.${id}`),
    ...[...importsIn(value)].flatMap((name) => exported.get(name) ?? []),
  ];
  const policies = Object.values(Resources).filter(({ Type }) => Type === "AWS::IAM::Policy");
  return Object.entries(Resources).flatMap(([id, resource]) => {
    const direct = targetsIn(usedBy(resource));
    const roles = new Set(direct);
    const granted = policies
      .filter(({ Properties: { Roles } }) => targetsIn(Roles).some((role) => roles.has(role)))
      .flatMap(({ Properties: { PolicyDocument } }) => targetsIn(PolicyDocument));
    return [...direct, ...granted].map((to) => [`${stack}.${id}`, to] as const);
  });
}

function* idsIn(value: unknown): Generator<string> {
  if (typeof value !== "object" || value === null) return;
  for (const [key, child] of Object.entries(value)) {
    if (key === "Ref" && typeof child === "string") yield child;
    else if (key === "Fn::GetAtt" && Array.isArray(child)) yield String(child[0]);
    else yield* idsIn(child);
  }
}

function* importsIn(value: unknown): Generator<string> {
  if (typeof value !== "object" || value === null) return;
  for (const [key, child] of Object.entries(value)) {
    if (key === "Fn::ImportValue") yield String(child);
    else yield* importsIn(child);
  }
}
