package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"localkube/eksauth"
	"localkube/fakekubelet"
	"localkube/networkpolicycontroller"
)

// startTimeout bounds each wait of the start, which takes about three seconds in
// all: a slow CI machine has a wide margin, a broken start still ends.
const startTimeout = 90 * time.Second

// clusterConfig is what tells one local cluster from another.
type clusterConfig struct {
	dir         string
	port        int
	eksCluster  string
	region      string
	awsEndpoint *url.URL
}

// readiness is what a client needs to reach the cluster.
type readiness struct {
	Server     string `json:"server"`
	Kubeconfig string `json:"kubeconfig"`
	CAFile     string `json:"caFile"`
	ReadyMs    int64  `json:"readyMs"`
}

// runCluster starts every part in order, reports readiness, and returns when ctx
// or any part ends, with the reason. It drains nothing: the caller exits, and the
// folder holds all that a restart needs.
func runCluster(ctx context.Context, c clusterConfig, reportReady func(readiness) error) error {
	started := time.Now()
	parts := newParts(ctx)

	dir, err := filepath.Abs(c.dir)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	// Listening first makes a taken port the first error, and leaves no moment in
	// which another process could take the free port that was chosen.
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", c.port))
	if err != nil {
		return fmt.Errorf("API server: %w", err)
	}
	server := "https://" + listener.Addr().String()
	pki, err := openPKI(filepath.Join(dir, "pki"))
	if err != nil {
		return fmt.Errorf("certificates: %w", err)
	}
	kubeconfigs, err := writeKubeconfigs(dir, server, pki)
	if err != nil {
		return fmt.Errorf("kubeconfigs: %w", err)
	}
	client, dynamicClient, err := adminClients(kubeconfigs.admin)
	if err != nil {
		return fmt.Errorf("admin client: %w", err)
	}
	webhookKubeconfig, err := serveTokenWebhook(parts, c, dir)
	if err != nil {
		return fmt.Errorf("token webhook: %w", err)
	}
	etcd, err := startEtcd(filepath.Join(dir, "etcd"))
	if err != nil {
		return fmt.Errorf("etcd: %w", err)
	}
	defer etcd.Server.HardStop()

	parts.run("kube-apiserver", func() error {
		return runAPIServer(parts.ctx, listener, clientURL(etcd), webhookKubeconfig, pki)
	})
	if err := parts.until("the API server is ready", apiServerIsReady(client)); err != nil {
		return err
	}
	parts.run("kube-controller-manager", func() error {
		return runControllerManager(parts.ctx, kubeconfigs.controllerManager, pki)
	})
	parts.run("kube-scheduler", func() error {
		return runScheduler(parts.ctx, kubeconfigs.scheduler)
	})
	logListener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("fake kubelet: %w", err)
	}
	logs := &fakekubelet.LogServer{
		Listener: logListener, Cert: pki.server.cert, Key: pki.server.key, Dir: filepath.Join(dir, "logs"),
	}
	parts.run("logs of the fake kubelet", logs.Serve)
	parts.run("fake kubelet", func() error {
		return fakekubelet.Run(parts.ctx, client, logs)
	})
	parts.run("network policy controller", func() error {
		return networkpolicycontroller.Run(parts.ctx, client, dynamicClient)
	})
	if err := parts.until("pods are admitted", podsAreAdmitted(client)); err != nil {
		return err
	}
	if err := reportReady(readiness{
		Server: server, Kubeconfig: kubeconfigs.admin, CAFile: pki.ca.cert,
		ReadyMs: time.Since(started).Milliseconds(),
	}); err != nil {
		return err
	}
	return parts.wait()
}

// serveTokenWebhook answers the API server's question "whose token is this?" the
// way EKS does, on a loopback port of its own. It returns the kubeconfig with
// which the API server finds it.
func serveTokenWebhook(parts *parts, c clusterConfig, dir string) (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	// AWS's verifier knows no other way to STS than the default transport.
	http.DefaultTransport = eksauth.NewSTSTransport(c.awsEndpoint, http.DefaultTransport)
	webhook := eksauth.NewWebhook(c.eksCluster, c.region, c.awsEndpoint)
	parts.run("token webhook", func() error { return http.Serve(listener, webhook) })

	kubeconfig := filepath.Join(dir, "token-webhook.kubeconfig")
	return kubeconfig, writeWebhookKubeconfig(kubeconfig, "http://"+listener.Addr().String())
}

// adminClients have no client-side throttling: the fake kubelet uses them, and a
// rollout of many pods should not queue behind five requests a second.
func adminClients(kubeconfig string) (*kubernetes.Clientset, *dynamic.DynamicClient, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, nil, err
	}
	config.QPS = -1
	config = rest.AddUserAgent(config, "localkube")
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, nil, err
	}
	dynamicClient, err := dynamic.NewForConfig(config)
	return client, dynamicClient, err
}

// apiServerIsReady asks for readiness and takes any failure for "not yet".
func apiServerIsReady(client kubernetes.Interface) func(context.Context) (bool, error) {
	return func(ctx context.Context) (bool, error) {
		return client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error() == nil, nil
	}
}

// podsAreAdmitted tells whether the default namespace has its service account,
// which the controller manager creates and without which no pod is accepted.
func podsAreAdmitted(client kubernetes.Interface) func(context.Context) (bool, error) {
	return func(ctx context.Context) (bool, error) {
		_, err := client.CoreV1().ServiceAccounts(metav1.NamespaceDefault).Get(ctx, "default", metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return false, nil
		}
		return err == nil, err
	}
}
