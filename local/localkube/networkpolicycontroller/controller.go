// Package networkpolicycontroller stands in for the network policy controller
// that EKS runs in its control plane. It writes what every policy means at the
// moment, pods and addresses, into PolicyEndpoints and ClusterPolicyEndpoints, as
// AWS's node agents read them.
//
// It enforces nothing: no packet is ever dropped because of it. An endpoint that
// lists a pod shows that the controller has seen pod and policy, and no more.
//
// Left out: ApplicationNetworkPolicies, domain names, and the addresses of
// services, which AWS's controller adds to egress rules.
package networkpolicycontroller

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
)

// policyKind is a kind of policy and the kind of endpoint that it is turned into.
type policyKind struct {
	apiVersion, name    string
	policies, endpoints schema.GroupVersionResource
	// finalizer keeps a deleted policy until its endpoints are gone, as on EKS.
	finalizer string
}

var awsGroup = schema.GroupVersion{Group: "networking.k8s.aws", Version: "v1alpha1"}

var networkPolicy = &policyKind{
	apiVersion: networkingv1.SchemeGroupVersion.String(), name: "NetworkPolicy",
	policies:  networkingv1.SchemeGroupVersion.WithResource("networkpolicies"),
	endpoints: awsGroup.WithResource("policyendpoints"),
	finalizer: "networking.k8s.aws/resources",
}

var clusterNetworkPolicyKind = &policyKind{
	apiVersion: awsGroup.String(), name: "ClusterNetworkPolicy",
	policies:  awsGroup.WithResource("clusternetworkpolicies"),
	endpoints: awsGroup.WithResource("clusterpolicyendpoints"),
	finalizer: "networking.k8s.aws/cnp-resources",
}

// podBatch is how long a change of a pod or namespace waits for more of them.
// AWS's controller waits as long; a change of a policy does not wait.
const podBatch = time.Second

type controller struct {
	client                     kubernetes.Interface
	dynamic                    dynamic.Interface
	pods, namespaces, policies cache.SharedIndexInformer
	cni                        atomic.Pointer[cni]
	queue                      workqueue.TypedRateLimitingInterface[key]
}

// key is one policy to look at.
type key struct {
	kind *policyKind
	name types.NamespacedName
}

// Run writes endpoints until ctx ends, whenever the cluster has their kinds and
// its VPC CNI asks for them.
func Run(ctx context.Context, client kubernetes.Interface, dynamicClient dynamic.Interface) error {
	factory := informers.NewSharedInformerFactory(client, 0)
	c := &controller{
		client: client, dynamic: dynamicClient,
		pods:       factory.Core().V1().Pods().Informer(),
		namespaces: factory.Core().V1().Namespaces().Informer(),
		policies:   factory.Networking().V1().NetworkPolicies().Informer(),
		queue:      workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[key]()),
	}
	c.cni.Store(&cni{})
	context.AfterFunc(ctx, c.queue.ShutDown)
	if err := c.watch(); err != nil {
		return err
	}
	factory.Start(ctx.Done())
	if !cache.WaitForCacheSync(ctx.Done(), c.pods.HasSynced, c.namespaces.HasSynced, c.policies.HasSynced) {
		return ctx.Err()
	}
	go c.followCNI(ctx)
	for {
		k, ended := c.queue.Get()
		if ended {
			return ctx.Err()
		}
		c.sync(ctx, k)
	}
}

// watch looks at a policy when it changes, and at every policy that speaks of a
// pod or namespace when that changes.
func (c *controller) watch() error {
	if err := c.watchPolicies(networkPolicy, c.policies); err != nil {
		return err
	}
	if err := onChange(c.pods, podChanged, func(pods []*corev1.Pod) {
		now := c.cluster()
		c.enqueueLater(func(set podSet) bool {
			return slices.ContainsFunc(pods, func(pod *corev1.Pod) bool { return now.has(set, pod) })
		})
	}); err != nil {
		return err
	}
	return onChange(c.namespaces, func(before, after *corev1.Namespace) bool {
		return !labels.Equals(before.Labels, after.Labels)
	}, func(namespaces []*corev1.Namespace) {
		c.enqueueLater(func(set podSet) bool {
			return slices.ContainsFunc(namespaces, func(n *corev1.Namespace) bool { return set.hasNamespace(n.Name, n.Labels) })
		})
	})
}

// podChanged tells whether an update can matter to any policy.
func podChanged(before, after *corev1.Pod) bool {
	return after.Status.PodIP != "" && (before.Status.PodIP != after.Status.PodIP ||
		before.Status.Phase != after.Status.Phase || !labels.Equals(before.Labels, after.Labels))
}

// watchPolicies leaves out changes of nothing but metadata, which keep the generation.
func (c *controller) watchPolicies(kind *policyKind, informer cache.SharedIndexInformer) error {
	return onChange(informer, func(before, after metav1.Object) bool {
		return before.GetGeneration() != after.GetGeneration()
	}, func(versions []metav1.Object) {
		newest := versions[len(versions)-1]
		c.queue.Add(key{kind, types.NamespacedName{Namespace: newest.GetNamespace(), Name: newest.GetName()}})
	})
}

// onChange calls handle with an object that appears or disappears, and with both
// versions of one that changes.
func onChange[T any](informer cache.SharedIndexInformer, changed func(before, after T) bool, handle func([]T)) error {
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(object any) { handle([]T{object.(T)}) },
		UpdateFunc: func(before, after any) {
			if changed(before.(T), after.(T)) {
				handle([]T{before.(T), after.(T)})
			}
		},
		DeleteFunc: func(object any) {
			if unseen, ok := object.(cache.DeletedFinalStateUnknown); ok {
				object = unseen.Obj
			}
			handle([]T{object.(T)})
		},
	})
	return err
}

// enqueueLater has a look at every policy that speaks of such pods, once the batch is full.
func (c *controller) enqueueLater(concerned func(podSet) bool) {
	c.eachPolicy(func(k key, object metav1.Object) {
		if p, err := parse(object); err != nil || slices.ContainsFunc(p.podSets(), concerned) {
			c.queue.AddAfter(k, podBatch)
		}
	})
}

func (c *controller) eachPolicy(look func(key, metav1.Object)) {
	for kind, informer := range c.informers() {
		for _, stored := range informer.GetStore().List() {
			object := stored.(metav1.Object)
			look(key{kind, types.NamespacedName{Namespace: object.GetNamespace(), Name: object.GetName()}}, object)
		}
	}
}

func (c *controller) informers() map[*policyKind]cache.SharedIndexInformer {
	informers := map[*policyKind]cache.SharedIndexInformer{networkPolicy: c.policies}
	if informer := c.cni.Load().clusterPolicies; informer != nil {
		informers[clusterNetworkPolicyKind] = informer
	}
	return informers
}

func parse(object metav1.Object) (policy, error) {
	if n, ok := object.(*networkingv1.NetworkPolicy); ok {
		return fromNetworkPolicy(n)
	}
	return fromClusterNetworkPolicy(object.(*unstructured.Unstructured))
}

// cluster is the pods and namespaces as the informers know them.
func (c *controller) cluster() cluster {
	now := cluster{namespaces: map[string]labels.Set{}}
	for _, object := range c.namespaces.GetStore().List() {
		namespace := object.(*corev1.Namespace)
		now.namespaces[namespace.Name] = namespace.Labels
	}
	for _, object := range c.pods.GetStore().List() {
		now.pods = append(now.pods, object.(*corev1.Pod))
	}
	return now
}
