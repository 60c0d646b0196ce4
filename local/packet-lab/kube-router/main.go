// Command kuberouter runs kube-router's network policy controller alone: it
// turns the NetworkPolicies of a cluster into iptables and ipset rules of the
// network namespace that it is started in. No routing, no service proxy, no CNI.
//
// Its stdout says, one JSON line each, up to which round the cluster is enforced
// (see rounds.go). The first line means that it works. Logs go to stderr.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/cloudnativelabs/kube-router/pkg/controllers/netpol"
	"github.com/cloudnativelabs/kube-router/pkg/options"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

// serviceCIDR is localkube's. What goes there is not the controller's business.
const serviceCIDR = "10.96.0.0/16"

func main() {
	kubeconfig := flag.String("kubeconfig", "", "how to reach the cluster")
	node := flag.String("node", "", "name of the node whose pods are protected")
	flag.Parse()
	if err := run(*kubeconfig, *node); err != nil {
		fmt.Fprintln(os.Stderr, "kuberouter:", err)
		os.Exit(1)
	}
}

// run returns only when it fails. It is ended by a signal and leaves its rules
// behind: they end with their namespace.
func run(kubeconfig, node string) error {
	client, err := clientFor(kubeconfig)
	if err != nil {
		return err
	}
	forever := make(chan struct{})
	factory := informers.NewSharedInformerFactory(client, 0)
	pods := factory.Core().V1().Pods().Informer()
	namespaces := factory.Core().V1().Namespaces().Informer()
	policies := factory.Networking().V1().NetworkPolicies().Informer()
	factory.Start(forever)
	factory.WaitForCacheSync(forever)

	settings := options.NewKubeRouterConfig()
	settings.HostnameOverride = node
	settings.ClusterIPCIDR = serviceCIDR
	settings.MetricsEnabled = true               // watchSyncs needs them
	settings.IPTablesSyncPeriod = 24 * time.Hour // beside the syncs that changes cause
	syncs := watchSyncs()
	controller, err := netpol.NewNetworkPolicyController(client, settings, pods, policies, namespaces, &sync.Mutex{})
	if err != nil {
		return err
	}
	rounds := newRounds()
	for _, watched := range []struct {
		informer   cache.SharedIndexInformer
		controller cache.ResourceEventHandler
	}{
		{pods, controller.PodEventHandler},
		{namespaces, controller.NamespaceEventHandler},
		{policies, controller.NetworkPolicyEventHandler},
	} {
		watched.informer.AddEventHandler(watched.controller)
		watched.informer.AddEventHandler(rounds.sightings())
	}

	var running sync.WaitGroup
	running.Add(1)
	go controller.Run(syncs.started, forever, &running)
	stdout := json.NewEncoder(os.Stdout)
	return rounds.follow(syncs, controller.RequestFullSync, func(round int) error {
		return stdout.Encode(map[string]int{"enforced": round})
	})
}

// clientFor has no client-side throttling: the controller only lists and watches.
func clientFor(kubeconfig string) (kubernetes.Interface, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	config.QPS = -1
	return kubernetes.NewForConfig(config)
}
