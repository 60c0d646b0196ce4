import * as athena from "aws-cdk-lib/aws-athena";
import * as glue from "aws-cdk-lib/aws-glue";
import { type StackContext, use } from "sst/constructs";
import { evidence } from "./evidence.ts";
import { foundation } from "./foundation.ts";
import { FLOW_LOG_FIELDS, network } from "./network.ts";
import { privateBucket } from "./private-bucket.ts";

type Stack = StackContext["stack"];
type Column = readonly [name: string, type: string];

/** Questions to evidence and to the network's flow logs, in SQL: an Athena workgroup and its tables. */
export function analysis({ stack, app }: StackContext) {
  const { key } = use(foundation);
  const { bucket } = use(evidence);
  const { own } = use(network);

  const results = privateBucket(stack, "QueryResults", {
    name: "query-results",
    expireAfterDays: 30,
    notReplicated: "Answers to questions that can be asked again.",
  });
  const workGroup = new athena.CfnWorkGroup(stack, "WorkGroup", {
    name: app.logicalPrefixedName("evidence"),
    description: "Evidence of containment runs, and flow logs",
    recursiveDeleteOption: true,
    workGroupConfiguration: {
      enforceWorkGroupConfiguration: true, // nobody sends answers anywhere else
      publishCloudWatchMetricsEnabled: true,
      bytesScannedCutoffPerQuery: 100 * 1024 ** 3, // about half a dollar
      resultConfiguration: {
        outputLocation: results.s3UrlForObject(),
        encryptionConfiguration: { encryptionOption: "SSE_KMS", kmsKey: key.keyArn },
      },
    },
  });

  const name = app.logicalPrefixedName("evidence").replaceAll("-", "_");
  const database = new glue.CfnDatabase(stack, "Database", {
    catalogId: stack.account,
    databaseInput: { name },
  });
  const runs = bucket.s3UrlForObject("runs/");
  const tables = [
    jsonTable(stack, "runs", runs, RUN_COLUMNS, name),
    jsonTable(stack, "manifests", runs, MANIFEST_COLUMNS, name),
    ...(own ? [flowLogTable(stack, own.flowLogs.s3UrlForObject("AWSLogs/"), name)] : []),
  ];
  for (const table of tables) table.addDependency(database);
  for (const [id, query] of Object.entries(QUESTIONS)) {
    new athena.CfnNamedQuery(stack, id, {
      database: name,
      workGroup: workGroup.name,
      ...query,
    }).addDependency(workGroup);
  }
}

/** Of containment.json and audit.json; other artefacts under `runs/` have some of these. */
const RUN_COLUMNS: readonly Column[] = [
  ["case", "struct<id:string,runid:string>"],
  ["mode", "string"],
  ["verdict", "string"],
  ["reason", "string"],
  ["reasons", "array<struct<code:string,message:string>>"],
  ["alert", "struct<source:string,id:string,rule:string,severity:string,detectedat:string>"],
  ["target", "struct<cluster:string,namespace:string,kind:string,name:string,uid:string>"],
  ["quarantinedat", "string"],
  ["timetocontainms", "bigint"],
  ["missing", "array<struct<state:string,error:string,cause:string>>"],
];

const MANIFEST_COLUMNS: readonly Column[] = [
  ["schema", "string"],
  ["runid", "string"],
  ["caseid", "string"],
  ["productversion", "string"],
  ["sealedat", "string"],
  ["previous", "struct<runid:string,key:string,sha256:string,versionid:string>"],
  [
    "artefacts",
    "array<struct<name:string,schema:string,sha256:string,size:bigint,versionid:string,storedat:string,capturedat:string,state:string,productversion:string,lock:struct<mode:string,retainuntil:string>>>",
  ],
  ["missing", "array<struct<state:string,error:string,cause:string>>"],
  ["warnings", "array<struct<code:string,artefact:string,message:string>>"],
];

const QUESTIONS = {
  RunsByDay: {
    name: "Runs, newest first",
    description: "Verdict, target and time to contain of every run",
    queryString: `SELECT regexp_extract("$path", 'runs/([^/]+)/', 1) AS run, verdict,
  target.namespace, target.name, timetocontainms, reasons
FROM runs WHERE "$path" LIKE '%/containment.json' ORDER BY run DESC`,
  },
  Artefacts: {
    name: "Artefacts of a run with their hashes",
    description: "As its manifest sealed them; put the run's id in",
    queryString: `SELECT artefact.* FROM manifests CROSS JOIN UNNEST(artefacts) AS t(artefact)
WHERE "$path" LIKE '%/manifest.json' AND runid = 'RUN'`,
  },
} as const;

function jsonTable(
  stack: Stack,
  name: string,
  location: string,
  columns: readonly Column[],
  databaseName: string,
): glue.CfnTable {
  return new glue.CfnTable(stack, `Table-${name}`, {
    catalogId: stack.account,
    databaseName,
    tableInput: {
      name,
      tableType: "EXTERNAL_TABLE",
      parameters: { classification: "json" },
      storageDescriptor: {
        location,
        columns: columns.map(([column, type]) => ({ name: column, type })),
        inputFormat: "org.apache.hadoop.mapred.TextInputFormat",
        outputFormat: "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
        serdeInfo: {
          serializationLibrary: "org.openx.data.jsonserde.JsonSerDe",
          // Artefacts of other shapes lie beside these; the queries choose by path.
          parameters: { "ignore.malformed.json": "true" },
        },
      },
    },
  });
}

/** Flow logs as EC2 writes them: Parquet in Hive partitions, one an hour. */
function flowLogTable(stack: Stack, root: string, databaseName: string): glue.CfnTable {
  const { account, region } = stack;
  const numbers = new Set(["version", "srcport", "dstport", "protocol", "tcp-flags"]);
  const large = new Set(["packets", "bytes", "start", "end"]);
  const typeOf = (field: string) =>
    numbers.has(field) ? "int" : large.has(field) ? "bigint" : "string";
  const location = `${root}aws-account-id=${account}/aws-service=vpcflowlogs/aws-region=${region}`;
  return new glue.CfnTable(stack, "Table-flow-logs", {
    catalogId: account,
    databaseName,
    tableInput: {
      name: "flow_logs",
      tableType: "EXTERNAL_TABLE",
      partitionKeys: ["year", "month", "day", "hour"].map((each) => ({
        name: each,
        type: "string",
      })),
      parameters: {
        classification: "parquet",
        "projection.enabled": "true", // no crawler: the partitions are counted, not looked for
        "projection.year.type": "integer",
        "projection.year.range": "2026,2040",
        "projection.month.type": "integer",
        "projection.month.range": "1,12",
        "projection.month.digits": "2",
        "projection.day.type": "integer",
        "projection.day.range": "1,31",
        "projection.day.digits": "2",
        "projection.hour.type": "integer",
        "projection.hour.range": "0,23",
        "projection.hour.digits": "2",
        "storage.location.template": `${location}/year=\${year}/month=\${month}/day=\${day}/hour=\${hour}/`,
      },
      storageDescriptor: {
        location,
        columns: FLOW_LOG_FIELDS.map((field) => ({
          name: field.replaceAll("-", "_"),
          type: typeOf(field),
        })),
        inputFormat: "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
        outputFormat: "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
        serdeInfo: {
          serializationLibrary: "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe",
        },
      },
    },
  });
}
