package networkpolicycontroller

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// chunkSize is how many entries of each list AWS's controller puts into one object.
const chunkSize = 200

// endpointSpec is the spec of a PolicyEndpoint and of a ClusterPolicyEndpoint:
// each fills in its own fields of the header.
type endpointSpec struct {
	PolicyRef            policyRef                 `json:"policyRef"`
	PodSelector          *metav1.LabelSelector     `json:"podSelector,omitempty"`
	PodIsolation         []networkingv1.PolicyType `json:"podIsolation,omitempty"`
	Tier                 string                    `json:"tier,omitempty"`
	Priority             *int64                    `json:"priority,omitempty"`
	Subject              map[string]any            `json:"subject,omitempty"`
	PodSelectorEndpoints []podEndpoint             `json:"podSelectorEndpoints,omitempty"`
	Ingress              []address                 `json:"ingress,omitempty"`
	Egress               []address                 `json:"egress,omitempty"`
}

type policyRef struct {
	Name      string `json:"name"`
	Namespace string `json:"namespace,omitempty"`
}

type podEndpoint struct {
	HostIP    string `json:"hostIP"`
	PodIP     string `json:"podIP"`
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
}

// address is who may (or, with an action, must not) be spoken to, on which ports.
type address struct {
	CIDR   string   `json:"cidr"`
	Except []string `json:"except,omitempty"`
	Ports  []port   `json:"ports,omitempty"`
	Action string   `json:"action,omitempty"`
}

type port struct {
	Protocol corev1.Protocol `json:"protocol"`
	Port     *int32          `json:"port,omitempty"`
	EndPort  *int32          `json:"endPort,omitempty"`
}

// cluster is the pods and namespaces at one moment.
type cluster struct {
	namespaces map[string]labels.Set
	pods       []*corev1.Pod
}

// podsOf returns the pods of the set that have an address and have not ended. A
// pod that is being deleted still counts: its processes run.
func (c cluster) podsOf(set podSet) (pods []*corev1.Pod) {
	for _, pod := range c.pods {
		ended := pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
		if pod.Status.PodIP != "" && !ended && c.has(set, pod) {
			pods = append(pods, pod)
		}
	}
	return pods
}

func (c cluster) has(set podSet, pod *corev1.Pod) bool {
	return set.hasNamespace(pod.Namespace, c.namespaces[pod.Namespace]) && set.pods.Matches(labels.Set(pod.Labels))
}

// resolve says what the policy means in the cluster as it is, in one or more
// objects. A policy that selects no pod has one too.
func resolve(p policy, c cluster) []endpointSpec {
	subjects := c.podsOf(p.subject)
	var pods []podEndpoint
	for _, pod := range subjects {
		if !pod.Spec.HostNetwork { // no policy covers a pod in its node's network
			pods = append(pods, podEndpoint{
				HostIP: pod.Status.HostIP, PodIP: pod.Status.PodIP, Name: pod.Name, Namespace: pod.Namespace,
			})
		}
	}
	slices.SortFunc(pods, func(a, b podEndpoint) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	ingress := c.addresses(p.ingress, func(r rule, _ *corev1.Pod) []port { return receivedPorts(r, subjects) })
	egress := c.addresses(p.egress, func(r rule, peer *corev1.Pod) []port { return portsOn(peer, r.ports) })

	var specs []endpointSpec
	for i := 0; i == 0 || i < max(len(pods), len(ingress), len(egress)); i += chunkSize {
		spec := p.header
		spec.PodSelectorEndpoints, spec.Ingress, spec.Egress = chunk(pods, i), chunk(ingress, i), chunk(egress, i)
		specs = append(specs, spec)
	}
	return specs
}

func chunk[T any](all []T, start int) []T {
	return all[min(start, len(all)):min(start+chunkSize, len(all))]
}

// addresses are those of all rules. portsOf says which ports of a rule are meant
// at a peer, which is nil for blocks; a rule whose named ports nobody has is void.
func (c cluster) addresses(rules []rule, portsOf func(rule, *corev1.Pod) []port) []address {
	merged := map[string]address{}
	for _, r := range rules {
		add := func(cidr string, except []string, peer *corev1.Pod) {
			a := address{CIDR: cidr, Except: except, Ports: portsOf(r, peer), Action: r.action}
			if len(r.ports) > 0 && len(a.Ports) == 0 {
				return
			}
			key := fmt.Sprint(a.CIDR, a.Except, a.Action)
			if known, exists := merged[key]; exists {
				a.Ports = union(known.Ports, a.Ports)
			}
			merged[key] = a
		}
		if r.anywhere {
			add("0.0.0.0/0", nil, nil)
			add("::/0", nil, nil)
		}
		for _, p := range r.peers {
			if p.block != nil {
				add(p.block.CIDR, p.block.Except, nil)
				continue
			}
			for _, pod := range c.podsOf(*p.pods) {
				add(pod.Status.PodIP, nil, pod)
			}
		}
	}
	// In a fixed order, so that what means the same is the same.
	return slices.SortedFunc(maps.Values(merged), func(a, b address) int {
		return cmp.Or(cmp.Compare(a.CIDR, b.CIDR), cmp.Compare(a.Action, b.Action), slices.Compare(a.Except, b.Except))
	})
}

// union adds up ports; no port stands for every port.
func union(a, b []port) []port {
	if len(a) == 0 || len(b) == 0 {
		return nil
	}
	return distinct(slices.Concat(a, b))
}

func distinct(ports []port) []port {
	slices.SortFunc(ports, comparePorts)
	return slices.CompactFunc(ports, func(a, b port) bool { return comparePorts(a, b) == 0 })
}

// receivedPorts are an ingress rule's ports: the policy's own pods know their names.
func receivedPorts(r rule, subjects []*corev1.Pod) (ports []port) {
	if !slices.ContainsFunc(r.ports, isNamed) {
		return portsOn(nil, r.ports)
	}
	for _, pod := range subjects {
		ports = append(ports, portsOn(pod, r.ports)...)
	}
	return distinct(ports)
}

func isNamed(p networkingv1.NetworkPolicyPort) bool {
	return p.Port != nil && p.Port.Type == intstr.String
}

// portsOn returns the ports as numbers on this pod. Names that it does not have,
// and without a pod all names, are left out.
func portsOn(pod *corev1.Pod, of []networkingv1.NetworkPolicyPort) (ports []port) {
	for _, p := range of {
		resolved := port{Protocol: corev1.ProtocolTCP, EndPort: p.EndPort}
		if p.Protocol != nil {
			resolved.Protocol = *p.Protocol
		}
		if isNamed(p) {
			if resolved.Port = numberOf(pod, p.Port.StrVal, resolved.Protocol); resolved.Port == nil {
				continue
			}
		} else if p.Port != nil {
			resolved.Port = &p.Port.IntVal
		}
		ports = append(ports, resolved)
	}
	return ports
}

func numberOf(pod *corev1.Pod, name string, protocol corev1.Protocol) *int32 {
	if pod == nil {
		return nil
	}
	for _, container := range pod.Spec.Containers {
		for _, p := range container.Ports {
			if p.Name == name && p.Protocol == protocol {
				return &p.ContainerPort
			}
		}
	}
	return nil
}

func comparePorts(a, b port) int {
	number := func(n *int32) int32 {
		if n == nil {
			return 0
		}
		return *n
	}
	return cmp.Or(cmp.Compare(a.Protocol, b.Protocol),
		cmp.Compare(number(a.Port), number(b.Port)), cmp.Compare(number(a.EndPort), number(b.EndPort)))
}
