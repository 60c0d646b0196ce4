// Package fakekubelet plays the kubelet of every node of a cluster. It keeps
// nodes ready, reports scheduled pods as running, serves logs, and finishes
// deletions. It runs no container.
package fakekubelet

import (
	"context"
	"net/netip"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
)

// heartbeat is how often nodes report: well inside the 50 s after which the
// node lifecycle controller holds a silent node for dead and empties it.
const heartbeat = 10 * time.Second

// Run plays the kubelets until ctx ends.
func Run(ctx context.Context, client kubernetes.Interface, logs *LogServer) error {
	factory := informers.NewSharedInformerFactory(client, 0)
	nodes, pods := factory.Core().V1().Nodes().Informer(), factory.Core().V1().Pods().Informer()
	factory.Start(ctx.Done())
	if !cache.WaitForCacheSync(ctx.Done(), nodes.HasSynced, pods.HasSynced) {
		return ctx.Err()
	}
	// Only now, and not before all addresses in use are known, can new ones be given out.
	k := &kubelets{
		client:        client,
		logs:          logs,
		nodeAddresses: newAddressPool(netip.MustParseAddr("10.0.0.10")),
		podAddresses:  newAddressPool(netip.MustParseAddr("10.244.0.10")),
	}
	for _, object := range nodes.GetStore().List() {
		k.nodeAddresses.claim(internalIP(object.(*corev1.Node)))
	}
	for _, object := range pods.GetStore().List() {
		k.podAddresses.claim(object.(*corev1.Pod).Status.PodIP)
	}
	if err := handle(nodes, func(n *corev1.Node) { k.syncNode(ctx, n) }); err != nil {
		return err
	}
	if err := handle(pods, func(p *corev1.Pod) { k.syncPod(ctx, p) }); err != nil {
		return err
	}
	// The tick is also the second chance of whatever failed at its event.
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(heartbeat):
			for _, object := range nodes.GetStore().List() {
				k.syncNode(ctx, object.(*corev1.Node))
			}
			for _, object := range pods.GetStore().List() {
				k.syncPod(ctx, object.(*corev1.Pod))
			}
		}
	}
}

// handle calls sync for every object that exists, appears or changes.
func handle[T any](informer cache.SharedIndexInformer, sync func(T)) error {
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(object any) { sync(object.(T)) },
		UpdateFunc: func(_, object any) { sync(object.(T)) },
	})
	return err
}

type kubelets struct {
	client                      kubernetes.Interface
	logs                        *LogServer
	nodeAddresses, podAddresses *addressPool
}

// syncNode gives the node its heartbeat when one is due.
func (k *kubelets) syncNode(ctx context.Context, node *corev1.Node) {
	if heartbeatIsFresh(node, time.Now()) && k.logs.isRegistered(node) {
		return
	}
	ready := readyNode(node, k.nodeAddresses.of(node.Name), metav1.Now())
	k.logs.register(ready)
	_, err := k.client.CoreV1().Nodes().UpdateStatus(ctx, ready, metav1.UpdateOptions{})
	report(err, "Heartbeat", klog.KObj(node))
}

// syncPod starts a pod that waits on a node, and ends one that is deleted.
func (k *kubelets) syncPod(ctx context.Context, pod *corev1.Pod) {
	switch {
	case pod.Spec.NodeName == "":
	case pod.DeletionTimestamp != nil && len(pod.Finalizers) == 0:
		now := int64(0)
		err := k.client.CoreV1().Pods(pod.Namespace).Delete(ctx, pod.Name, metav1.DeleteOptions{
			GracePeriodSeconds: &now, Preconditions: &metav1.Preconditions{UID: &pod.UID},
		})
		report(err, "End of pod", klog.KObj(pod))
	case pod.DeletionTimestamp == nil && pod.Status.Phase == corev1.PodPending:
		report(k.startPod(ctx, pod), "Start of pod", klog.KObj(pod))
	}
}

// startPod reports the pod as running. Of two attempts only one succeeds, because
// the other carries an old resourceVersion: addresses and container ids stay.
func (k *kubelets) startPod(ctx context.Context, pod *corev1.Pod) error {
	// Not from the cache, which may trail behind a pod that is bound at once.
	node, err := k.client.CoreV1().Nodes().Get(ctx, pod.Spec.NodeName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil // no node, no kubelet: the pod waits
	}
	if err != nil {
		return err
	}
	hostIP := internalIP(node)
	if hostIP == "" {
		hostIP = k.nodeAddresses.of(node.Name)
	}
	podIP := hostIP
	if !pod.Spec.HostNetwork {
		podIP = k.podAddresses.of(string(pod.UID))
	}
	running := runningPod(pod, hostIP, podIP, metav1.Now())
	_, err = k.client.CoreV1().Pods(pod.Namespace).UpdateStatus(ctx, running, metav1.UpdateOptions{})
	return err
}

// report logs a failure, except the two that only mean that the object has moved
// on: the event of that change is under way and brings the next attempt.
func report(err error, attempt string, object klog.ObjectRef) {
	if err != nil && !apierrors.IsConflict(err) && !apierrors.IsNotFound(err) {
		klog.ErrorS(err, attempt+" failed", "object", object)
	}
}
