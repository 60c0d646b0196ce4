// Command localkube runs a real Kubernetes control plane on loopback in one
// process, dressed as an EKS cluster: embedded etcd, kube-apiserver,
// kube-controller-manager, kube-scheduler, a fake kubelet, a stand-in for EKS's
// network policy controller, and token authentication through AWS STS and EKS
// access entries. It is for development and tests: no container ever runs, and
// network policies are resolved to addresses, but never enforced.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	root := &cobra.Command{Use: "localkube", SilenceUsage: true, SilenceErrors: true}
	root.AddCommand(upCommand())

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	err := root.ExecuteContext(ctx)
	// Tests stop the process at any moment, so an end on request is a success.
	if err != nil && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, "localkube:", err)
		os.Exit(1)
	}
}

// upCommand describes `localkube up`, which runs until it is told to stop and
// prints one JSON line on stdout once the cluster can be used.
func upCommand() *cobra.Command {
	var c clusterConfig
	var awsEndpoint string
	up := &cobra.Command{
		Use:   "up",
		Short: "Run the control plane until SIGTERM",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) (err error) {
			if c.awsEndpoint, err = url.ParseRequestURI(awsEndpoint); err != nil {
				return fmt.Errorf("--aws-endpoint: %w", err)
			}
			return runCluster(command.Context(), c, func(r readiness) error {
				return json.NewEncoder(os.Stdout).Encode(r)
			})
		},
	}
	flags := up.Flags()
	flags.StringVar(&c.dir, "dir", "", "folder of certificates, kubeconfigs and etcd data; use it again to keep the cluster")
	flags.IntVar(&c.port, "port", 0, "port of the API server (0: a free one)")
	flags.StringVar(&c.eksCluster, "eks-cluster", "", "name of the EKS cluster to stand for")
	flags.StringVar(&c.region, "region", "", "AWS region of that cluster")
	flags.StringVar(&awsEndpoint, "aws-endpoint", "", "URL of the emulated AWS that answers for STS and EKS")
	for _, required := range []string{"dir", "eks-cluster", "region", "aws-endpoint"} {
		if err := up.MarkFlagRequired(required); err != nil {
			panic(err) // a typo in the line above
		}
	}
	return up
}
