package networkpolicycontroller

import (
	"context"
	"maps"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
)

// cniPoll is how often the cluster is asked whether there is a VPC CNI to work for.
const cniPoll = time.Second

var definitions = schema.GroupVersionResource{
	Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions",
}

// cni is what the cluster shows of its VPC CNI at one moment.
type cni struct {
	// enabled is the word of the ConfigMap with which the VPC CNI calls the controller.
	enabled bool
	// endpoints are the kinds whose endpoints are served, by the UID of the
	// definition: one that is deleted and made again has lost its objects.
	endpoints map[*policyKind]types.UID
	// clusterPolicies is nil while ClusterNetworkPolicies are not served.
	clusterPolicies    cache.SharedIndexInformer
	clusterPoliciesUID types.UID
	stop               context.CancelFunc
}

// followCNI looks at all policies anew whenever the VPC CNI is installed, removed
// or switched.
func (c *controller) followCNI(ctx context.Context) {
	for {
		if err := c.readCNI(ctx); err != nil && ctx.Err() == nil {
			klog.ErrorS(err, "VPC CNI not read")
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(cniPoll):
		}
	}
}

func (c *controller) readCNI(ctx context.Context) error {
	before := c.cni.Load()
	now := &cni{
		endpoints:       map[*policyKind]types.UID{},
		clusterPolicies: before.clusterPolicies, clusterPoliciesUID: before.clusterPoliciesUID, stop: before.stop,
	}
	config, err := c.client.CoreV1().ConfigMaps("kube-system").Get(ctx, "amazon-vpc-cni", metav1.GetOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	now.enabled = err == nil && config.Data["enable-network-policy-controller"] == "true"
	for _, kind := range []*policyKind{networkPolicy, clusterNetworkPolicyKind} {
		uid, err := c.definition(ctx, kind.endpoints)
		if err != nil {
			return err
		}
		if uid != "" {
			now.endpoints[kind] = uid
		}
	}
	uid, err := c.definition(ctx, clusterNetworkPolicyKind.policies)
	if err != nil {
		return err
	}
	if uid != before.clusterPoliciesUID {
		if before.stop != nil {
			before.stop()
		}
		now.clusterPoliciesUID, now.clusterPolicies, now.stop = uid, nil, nil
	}
	started := uid != "" && now.clusterPolicies == nil
	if started {
		informing, stop := context.WithCancel(ctx)
		now.stop = stop
		now.clusterPolicies = dynamicinformer.NewFilteredDynamicInformer(
			c.dynamic, clusterNetworkPolicyKind.policies, "", 0, cache.Indexers{}, nil).Informer()
		if err := c.watchPolicies(clusterNetworkPolicyKind, now.clusterPolicies); err != nil {
			return err
		}
		defer func() { go now.clusterPolicies.Run(informing.Done()) }() // once its events find it
	}
	c.cni.Store(now)
	if now.enabled != before.enabled || !maps.Equal(now.endpoints, before.endpoints) {
		c.eachPolicy(func(k key, _ metav1.Object) { c.queue.Add(k) })
	}
	return nil
}

// definition is the UID of an established CustomResourceDefinition, or nothing.
func (c *controller) definition(ctx context.Context, of schema.GroupVersionResource) (types.UID, error) {
	u, err := c.dynamic.Resource(definitions).Get(ctx, of.GroupResource().String(), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	conditions, _, err := unstructured.NestedSlice(u.Object, "status", "conditions")
	for _, condition := range conditions {
		c, _ := condition.(map[string]any)
		if c["type"] == "Established" && c["status"] == "True" {
			return u.GetUID(), err
		}
	}
	return "", err
}
