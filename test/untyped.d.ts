/** Types of what the tests use from packages that ship none for it. */

declare module "sst/project" {
  export function initProject(globals: { readonly stage: string }): Promise<void>;
  export function useProject(): { readonly paths: { readonly out: string; artifacts: string } };
}

declare module "asl-validator" {
  export default function validator(
    definition: unknown,
    options: { readonly checkPaths: boolean; readonly checkArn: boolean },
  ): { readonly isValid: boolean };
}
