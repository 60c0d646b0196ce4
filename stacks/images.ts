import { Duration, RemovalPolicy } from "aws-cdk-lib";
import * as ecr from "aws-cdk-lib/aws-ecr";
import type { StackContext } from "sst/constructs";
import { settingsFor } from "../stages.ts";

/**
 * A private repository for each image of the settings: the nodes of a private cluster have no other
 * registry to pull from. `containment images` fills them. ECR encrypts what it keeps by itself, and
 * published programs are no secret that would take a key of ours.
 */
export function images({ stack, app }: StackContext) {
  const { cluster } = settingsFor(app.stage);
  const names = cluster.kind === "create" ? Object.keys(cluster.images) : [];
  const prefix = `${app.stage}-${app.name}`.toLowerCase(); // ECR knows no capital letters
  for (const name of names) {
    new ecr.Repository(stack, name, {
      repositoryName: `${prefix}/${name}`,
      imageTagMutability: ecr.TagMutability.IMMUTABLE,
      imageScanOnPush: true,
      lifecycleRules: [
        {
          // The images of an index's platforms have no tag; ECR keeps them as long as the index.
          tagStatus: ecr.TagStatus.UNTAGGED,
          maxImageAge: Duration.days(14),
          description: "what an interrupted copy left",
        },
      ],
      removalPolicy: RemovalPolicy.DESTROY,
      emptyOnDelete: true, // copies, which can be made again
    });
  }
  stack.addOutputs({
    ImageRegistry: `${stack.account}.dkr.ecr.${stack.region}.${stack.urlSuffix}/${prefix}`,
  });
}
