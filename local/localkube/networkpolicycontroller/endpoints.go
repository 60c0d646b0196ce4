package networkpolicycontroller

import (
	"context"
	"encoding/json"
	"reflect"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"
)

// sync looks at one policy, and again later when that failed.
func (c *controller) sync(ctx context.Context, k key) {
	defer c.queue.Done(k)
	err := c.reconcile(ctx, k)
	if err == nil || apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		c.queue.Forget(k)
		return
	}
	// These two only mean that something has moved on meanwhile.
	if !apierrors.IsConflict(err) && !apierrors.IsNotFound(err) && ctx.Err() == nil {
		klog.ErrorS(err, "Policy endpoints not written", "kind", k.kind.name, "policy", k.name)
	}
	c.queue.AddRateLimited(k)
}

// reconcile makes the endpoints of a policy what they should be. A policy that is
// deleted is let go even when the VPC CNI has been switched off in between: AWS's
// controller would leave it hanging.
func (c *controller) reconcile(ctx context.Context, k key) error {
	informer := c.informers()[k.kind]
	if informer == nil {
		return nil
	}
	stored, exists, err := informer.GetStore().GetByKey(cacheKey(k.name))
	if err != nil || !exists {
		return err
	}
	object := stored.(metav1.Object)
	_, served := c.cni.Load().endpoints[k.kind]
	if object.GetDeletionTimestamp() != nil {
		if served {
			if err := c.write(ctx, k.kind, object, nil); err != nil {
				return err
			}
		}
		return c.setFinalizer(ctx, k.kind, object, false)
	}
	if !served || !c.cni.Load().enabled {
		return nil
	}
	p, err := parse(object)
	if err != nil {
		return err
	}
	if err := c.setFinalizer(ctx, k.kind, object, true); err != nil {
		return err
	}
	return c.write(ctx, k.kind, object, resolve(p, c.cluster()))
}

func cacheKey(name types.NamespacedName) string {
	return strings.TrimPrefix(name.String(), "/")
}

// setFinalizer adds or removes our finalizer; a policy that changes meanwhile is a conflict.
func (c *controller) setFinalizer(ctx context.Context, kind *policyKind, object metav1.Object, wanted bool) error {
	finalizers := slices.Clone(object.GetFinalizers())
	if slices.Contains(finalizers, kind.finalizer) == wanted {
		return nil
	}
	if wanted {
		finalizers = append(finalizers, kind.finalizer)
	} else {
		finalizers = slices.DeleteFunc(finalizers, func(f string) bool { return f == kind.finalizer })
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"resourceVersion": object.GetResourceVersion(), "finalizers": finalizers,
	}})
	if err != nil {
		return err
	}
	_, err = c.dynamic.Resource(kind.policies).Namespace(object.GetNamespace()).
		Patch(ctx, object.GetName(), types.MergePatchType, patch, metav1.PatchOptions{})
	return err
}

// write leaves the policy with one endpoint for each spec and changes no more than it must.
func (c *controller) write(ctx context.Context, kind *policyKind, owner metav1.Object, specs []endpointSpec) error {
	endpoints := c.dynamic.Resource(kind.endpoints).Namespace(owner.GetNamespace())
	// Not from a cache: one that trails behind would give a policy the same endpoint twice.
	list, err := endpoints.List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	existing := slices.DeleteFunc(list.Items, func(u unstructured.Unstructured) bool {
		name, _, _ := unstructured.NestedString(u.Object, "spec", "policyRef", "name")
		return name != owner.GetName()
	})
	for i := range max(len(existing), len(specs)) {
		if i >= len(specs) {
			err = endpoints.Delete(ctx, existing[i].GetName(), metav1.DeleteOptions{})
			if apierrors.IsNotFound(err) {
				err = nil
			}
		} else {
			var spec map[string]any
			if spec, err = runtime.DefaultUnstructuredConverter.ToUnstructured(&specs[i]); err != nil {
				return err
			}
			if i >= len(existing) {
				_, err = endpoints.Create(ctx, newEndpoint(kind, owner, spec), metav1.CreateOptions{})
			} else if !reflect.DeepEqual(existing[i].Object["spec"], spec) {
				existing[i].Object["spec"] = spec
				_, err = endpoints.Update(ctx, &existing[i], metav1.UpdateOptions{})
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func newEndpoint(kind *policyKind, owner metav1.Object, spec map[string]any) *unstructured.Unstructured {
	yes := true
	endpoint := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
	endpoint.SetAPIVersion(awsGroup.String())
	endpoint.SetKind(strings.Replace(kind.name, "NetworkPolicy", "PolicyEndpoint", 1))
	endpoint.SetGenerateName(owner.GetName() + "-")
	endpoint.SetNamespace(owner.GetNamespace())
	endpoint.SetOwnerReferences([]metav1.OwnerReference{{
		APIVersion: kind.apiVersion, Kind: kind.name, Name: owner.GetName(), UID: owner.GetUID(),
		Controller: &yes, BlockOwnerDeletion: &yes,
	}})
	return endpoint
}
