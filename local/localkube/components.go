package main

import (
	"context"
	"net"

	"github.com/spf13/pflag"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	cliflag "k8s.io/component-base/cli/flag"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	apiserveroptions "k8s.io/kubernetes/cmd/kube-apiserver/app/options"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	controllermanageroptions "k8s.io/kubernetes/cmd/kube-controller-manager/app/options"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	scheduleroptions "k8s.io/kubernetes/cmd/kube-scheduler/app/options"
)

// The components are started from their options and not from their cobra
// commands: each command installs signal handlers and a logging configuration
// of its own, which one process can bear only once. Their flags stay the
// interface, because flags are what the Kubernetes documentation describes.

// serviceCIDR only has to be apart from the addresses of nodes and pods.
const serviceCIDR = "10.96.0.0/16"

// runAPIServer serves the Kubernetes API on listener until ctx ends.
func runAPIServer(ctx context.Context, listener net.Listener, etcdURL, webhookKubeconfig string, pki *pki) error {
	options := apiserveroptions.NewServerRunOptions()
	if err := setFlags("kube-apiserver", options.Flags(), []string{
		"--etcd-servers=" + etcdURL,
		"--advertise-address=127.0.0.1",   // else it looks for a default route, which an offline laptop lacks
		"--endpoint-reconciler-type=none", // loopback is no valid endpoint of the service "kubernetes"
		"--tls-cert-file=" + pki.server.cert,
		"--tls-private-key-file=" + pki.server.key,
		"--client-ca-file=" + pki.ca.cert,
		"--authentication-token-webhook-config-file=" + webhookKubeconfig,
		"--authentication-token-webhook-version=v1",
		"--authorization-mode=Node,RBAC",
		"--enable-admission-plugins=NodeRestriction",
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + pki.serviceAccountKey,
		"--service-account-signing-key-file=" + pki.serviceAccountKey,
		"--service-cluster-ip-range=" + serviceCIDR,
		"--allow-privileged=true",
		"--kubelet-preferred-address-types=ExternalIP", // where the fake kubelet listens
		"--profiling=false",
	}); err != nil {
		return err
	}
	options.SecureServing.Listener = listener
	if err := options.GenericServerRunOptions.ComponentGlobalsRegistry.Set(); err != nil {
		return err
	}
	completed, err := options.Complete(ctx)
	if err != nil {
		return err
	}
	if errs := completed.Validate(); len(errs) > 0 {
		return utilerrors.NewAggregate(errs)
	}
	return apiserver.Run(ctx, completed)
}

// runControllerManager runs Kubernetes' own controllers (ReplicaSets, garbage
// collection, service accounts, disruption budgets, ...) until ctx ends.
func runControllerManager(ctx context.Context, kubeconfig string, pki *pki) error {
	options, err := controllermanageroptions.NewKubeControllerManagerOptions()
	if err != nil {
		return err
	}
	known := controllermanager.KnownControllers()
	disabled := controllermanager.ControllersDisabledByDefault()
	aliases := controllermanager.ControllerAliases()
	if err := setFlags("kube-controller-manager", options.Flags(known, disabled, aliases), []string{
		"--kubeconfig=" + kubeconfig,
		"--secure-port=0",
		"--leader-elect=false",
		"--use-service-account-credentials=true",
		"--kube-api-qps=1000", "--kube-api-burst=2000", // the default of 20/30 makes the start 5 s slower
		"--service-account-private-key-file=" + pki.serviceAccountKey,
		"--root-ca-file=" + pki.ca.cert,
		"--cluster-signing-cert-file=" + pki.ca.cert,
		"--cluster-signing-key-file=" + pki.ca.key,
		"--profiling=false",
	}); err != nil {
		return err
	}
	if err := options.ComponentGlobalsRegistry.Set(); err != nil {
		return err
	}
	config, err := options.Config(ctx, known, disabled, aliases)
	if err != nil {
		return err
	}
	return controllermanager.Run(ctx, config.Complete())
}

// runScheduler binds pods to nodes until ctx ends.
func runScheduler(ctx context.Context, kubeconfig string) error {
	options := scheduleroptions.NewOptions()
	if err := setFlags("kube-scheduler", *options.Flags, []string{
		"--kubeconfig=" + kubeconfig,
		"--secure-port=0",
		"--leader-elect=false",
		"--kube-api-qps=1000", "--kube-api-burst=2000",
	}); err != nil {
		return err
	}
	if err := options.ComponentGlobalsRegistry.Set(); err != nil {
		return err
	}
	config, instance, err := scheduler.Setup(ctx, options)
	if err != nil {
		return err
	}
	return scheduler.Run(ctx, config, instance)
}

// setFlags parses a component's arguments into its options. An argument that
// the component does not know is an error, as on its own command line.
func setFlags(component string, sections cliflag.NamedFlagSets, arguments []string) error {
	flags := pflag.NewFlagSet(component, pflag.ContinueOnError)
	for _, section := range sections.FlagSets {
		flags.AddFlagSet(section)
	}
	return flags.Parse(arguments)
}
