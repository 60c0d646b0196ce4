package networkpolicycontroller

import (
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// policy is what the two kinds of policy have in common: a subject, and rules in
// both directions.
type policy struct {
	subject         podSet
	ingress, egress []rule
	// header is what an endpoint takes over from its policy as it stands.
	header endpointSpec
}

// rule names peers and ports. No port stands for every port.
type rule struct {
	action   string
	anywhere bool // a NetworkPolicy's rule that names no peer
	peers    []peer
	ports    []networkingv1.NetworkPolicyPort
}

// peer is a set of pods or else a block of addresses.
type peer struct {
	pods  *podSet
	block *networkingv1.IPBlock
}

// podSet is the pods with certain labels in one namespace, or in the namespaces
// with certain labels.
type podSet struct {
	namespace  string
	namespaces labels.Selector // nil: the one above
	pods       labels.Selector
}

func (s podSet) hasNamespace(name string, of labels.Set) bool {
	if s.namespaces == nil {
		return s.namespace == name
	}
	return s.namespaces.Matches(of)
}

// podSets is every set that the policy speaks of.
func (p policy) podSets() []podSet {
	sets := []podSet{p.subject}
	for _, r := range append(append([]rule{}, p.ingress...), p.egress...) {
		for _, peer := range r.peers {
			if peer.pods != nil {
				sets = append(sets, *peer.pods)
			}
		}
	}
	return sets
}

// fromNetworkPolicy reads a policy of Kubernetes. The API server has filled in
// its policy types and protocols, and refuses selectors that cannot be read.
func fromNetworkPolicy(n *networkingv1.NetworkPolicy) (policy, error) {
	var s selectors
	p := policy{
		subject: podSet{namespace: n.Namespace, pods: s.of(&n.Spec.PodSelector)},
		header: endpointSpec{
			PolicyRef:    policyRef{Name: n.Name, Namespace: n.Namespace},
			PodSelector:  &n.Spec.PodSelector,
			PodIsolation: n.Spec.PolicyTypes,
		},
	}
	peers := func(from []networkingv1.NetworkPolicyPeer) (peers []peer) {
		for _, f := range from {
			if f.IPBlock != nil {
				peers = append(peers, peer{block: f.IPBlock})
				continue
			}
			set := podSet{namespace: n.Namespace, pods: labels.Everything()}
			if f.NamespaceSelector != nil {
				set.namespaces = s.of(f.NamespaceSelector)
			}
			if f.PodSelector != nil {
				set.pods = s.of(f.PodSelector)
			}
			peers = append(peers, peer{pods: &set})
		}
		return peers
	}
	for _, r := range n.Spec.Ingress {
		p.ingress = append(p.ingress, rule{anywhere: len(r.From) == 0, peers: peers(r.From), ports: r.Ports})
	}
	for _, r := range n.Spec.Egress {
		p.egress = append(p.egress, rule{anywhere: len(r.To) == 0, peers: peers(r.To), ports: r.Ports})
	}
	return p, s.err
}

// clusterNetworkPolicy is the part of networking.k8s.aws/v1alpha1 that is read here.
type clusterNetworkPolicy struct {
	Spec struct {
		Tier     string        `json:"tier"`
		Priority int64         `json:"priority"`
		Subject  clusterPeer   `json:"subject"`
		Ingress  []clusterRule `json:"ingress"`
		Egress   []clusterRule `json:"egress"`
	} `json:"spec"`
}

type clusterRule struct {
	Action string        `json:"action"`
	From   []clusterPeer `json:"from"`
	To     []clusterPeer `json:"to"`
	Ports  []struct {
		PortNumber *struct {
			Protocol corev1.Protocol `json:"protocol"`
			Port     int32           `json:"port"`
		} `json:"portNumber"`
		PortRange *struct {
			Protocol corev1.Protocol `json:"protocol"`
			Start    int32           `json:"start"`
			End      int32           `json:"end"`
		} `json:"portRange"`
		NamedPort *string `json:"namedPort"`
	} `json:"ports"`
}

type clusterPeer struct {
	Namespaces *metav1.LabelSelector `json:"namespaces"`
	Pods       *struct {
		NamespaceSelector metav1.LabelSelector `json:"namespaceSelector"`
		PodSelector       metav1.LabelSelector `json:"podSelector"`
	} `json:"pods"`
	Networks []string `json:"networks"`
}

// fromClusterNetworkPolicy reads a ClusterNetworkPolicy of AWS. Peers that are
// domain names have no address to resolve and are left out.
func fromClusterNetworkPolicy(u *unstructured.Unstructured) (policy, error) {
	var c clusterNetworkPolicy
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, &c); err != nil {
		return policy{}, err
	}
	subject, _, err := unstructured.NestedMap(u.Object, "spec", "subject")
	if err != nil {
		return policy{}, err
	}
	var s selectors
	p := policy{header: endpointSpec{
		PolicyRef: policyRef{Name: u.GetName()},
		Tier:      c.Spec.Tier, Priority: &c.Spec.Priority, Subject: subject,
	}}
	pods := func(from clusterPeer) *podSet {
		switch {
		case from.Namespaces != nil:
			return &podSet{namespaces: s.of(from.Namespaces), pods: labels.Everything()}
		case from.Pods != nil:
			return &podSet{namespaces: s.of(&from.Pods.NamespaceSelector), pods: s.of(&from.Pods.PodSelector)}
		}
		return nil
	}
	if set := pods(c.Spec.Subject); set != nil {
		p.subject = *set
	}
	rules := func(from []clusterRule) (rules []rule) {
		for _, r := range from {
			resolved := rule{action: r.Action, ports: portsOf(r)}
			for _, f := range append(r.From, r.To...) {
				if set := pods(f); set != nil {
					resolved.peers = append(resolved.peers, peer{pods: set})
				}
				for _, cidr := range f.Networks {
					resolved.peers = append(resolved.peers, peer{block: &networkingv1.IPBlock{CIDR: cidr}})
				}
			}
			rules = append(rules, resolved)
		}
		return rules
	}
	p.ingress, p.egress = rules(c.Spec.Ingress), rules(c.Spec.Egress)
	return p, s.err
}

func portsOf(r clusterRule) (ports []networkingv1.NetworkPolicyPort) {
	for _, p := range r.Ports {
		switch {
		case p.PortNumber != nil:
			number := intstr.FromInt32(p.PortNumber.Port)
			ports = append(ports, networkingv1.NetworkPolicyPort{Protocol: &p.PortNumber.Protocol, Port: &number})
		case p.PortRange != nil:
			start := intstr.FromInt32(p.PortRange.Start)
			ports = append(ports, networkingv1.NetworkPolicyPort{
				Protocol: &p.PortRange.Protocol, Port: &start, EndPort: &p.PortRange.End,
			})
		case p.NamedPort != nil:
			name := intstr.FromString(*p.NamedPort)
			ports = append(ports, networkingv1.NetworkPolicyPort{Port: &name})
		}
	}
	return ports
}

// selectors reads label selectors and keeps the first error.
type selectors struct{ err error }

func (s *selectors) of(selector *metav1.LabelSelector) labels.Selector {
	parsed, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		if s.err == nil {
			s.err = err
		}
		return labels.Nothing()
	}
	return parsed
}
