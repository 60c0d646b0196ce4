package networkpolicycontroller

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/yaml"
)

// shop is a cluster of two namespaces with one address for each pod.
func shop() cluster {
	c := cluster{namespaces: map[string]labels.Set{
		"payments": {"team": "shop"}, "monitoring": {"team": "platform"},
	}}
	add := func(namespace, name, app string, change func(*corev1.Pod)) {
		pod := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{"app": app}},
			Spec: corev1.PodSpec{Containers: []corev1.Container{{
				Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 8080, Protocol: corev1.ProtocolTCP}},
			}}},
			Status: corev1.PodStatus{
				Phase: corev1.PodRunning, HostIP: "10.0.0.1", PodIP: fmt.Sprintf("10.244.0.%d", len(c.pods)+1),
			},
		}
		if change != nil {
			change(pod)
		}
		c.pods = append(c.pods, pod)
	}
	add("payments", "checkout-1", "checkout", nil)                                                                  // .1
	add("payments", "checkout-2", "checkout", func(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{} })         // .2
	add("payments", "checkout-3", "checkout", func(p *corev1.Pod) { p.Status.PodIP = "" })                          // none
	add("payments", "checkout-4", "checkout", func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded })         // .4
	add("payments", "checkout-5", "checkout", func(p *corev1.Pod) { p.Spec.HostNetwork = true })                    // .5
	add("payments", "database-0", "database", func(p *corev1.Pod) { p.Spec.Containers[0].Ports[0].Name = "other" }) // .6
	add("monitoring", "scraper", "scraper", nil)                                                                    // .7
	return c
}

// resolved reads a policy and says in one line each what its endpoints say.
func resolved(t *testing.T, manifest string) []string {
	t.Helper()
	var p policy
	var err error
	if strings.Contains(manifest, "tier:") {
		object := map[string]any{}
		if err := yaml.Unmarshal([]byte(manifest), &object); err != nil {
			t.Fatal(err)
		}
		p, err = fromClusterNetworkPolicy(&unstructured.Unstructured{Object: object})
	} else {
		n := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: "payments", Name: "policy"}}
		if err := yaml.UnmarshalStrict([]byte(manifest), n); err != nil {
			t.Fatal(err)
		}
		p, err = fromNetworkPolicy(n)
	}
	if err != nil {
		t.Fatal(err)
	}
	specs := resolve(p, shop())
	if len(specs) != 1 {
		t.Fatalf("%d endpoints", len(specs))
	}
	lines := []string{}
	for _, pod := range specs[0].PodSelectorEndpoints {
		lines = append(lines, "on "+pod.Namespace+"/"+pod.Name+" "+pod.PodIP+" at "+pod.HostIP)
	}
	for direction, addresses := range map[string][]address{"from": specs[0].Ingress, "to": specs[0].Egress} {
		for _, a := range addresses {
			rest, err := json.Marshal(struct {
				Except []string `json:"except,omitempty"`
				Ports  []port   `json:"ports,omitempty"`
			}{a.Except, a.Ports})
			if err != nil {
				t.Fatal(err)
			}
			lines = append(lines, strings.TrimSpace(a.Action+" "+direction+" "+a.CIDR+" "+string(rest)))
		}
	}
	slices.Sort(lines)
	return lines
}

const checkout = "on payments/checkout-1 10.244.0.1 at 10.0.0.1\n" +
	"on payments/checkout-2 10.244.0.2 at 10.0.0.1"

func TestEndpointsSayWhatAPolicyMeansNow(t *testing.T) {
	for name, test := range map[string]struct{ policy, want string }{
		"a pod without address, that has ended, or in its node's network is not listed": {
			`spec: {podSelector: {matchLabels: {app: checkout}}, policyTypes: [Ingress]}`, checkout,
		},
		"a policy that selects nothing has an endpoint too": {
			`spec: {podSelector: {matchLabels: {app: none}}, policyTypes: [Ingress]}`, "",
		},
		"a rule without peers is everywhere": {
			`spec: {podSelector: {matchLabels: {app: checkout}}, ingress: [{}]}`,
			"from 0.0.0.0/0 {}\nfrom ::/0 {}\n" + checkout,
		},
		"a peer without namespace selector is of the policy's namespace": {
			`spec: {podSelector: {matchLabels: {app: checkout}}, ingress: [{from: [{podSelector: {matchLabels: {app: scraper}}}]}]}`,
			checkout,
		},
		"a peer without pod selector is the namespace, node-network pods included": {
			`spec: {podSelector: {matchLabels: {app: none}}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: shop}}}]}]}`,
			"from 10.244.0.1 {}\nfrom 10.244.0.2 {}\nfrom 10.244.0.5 {}\nfrom 10.244.0.6 {}",
		},
		"a block keeps its exceptions": {
			`spec: {podSelector: {matchLabels: {app: none}}, egress: [{to: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16]}}]}]}`,
			`to 10.0.0.0/8 {"except":["10.1.0.0/16"]}`,
		},
		"a named port of an ingress rule is the selected pods' own": {
			`spec: {podSelector: {matchLabels: {app: checkout}}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: platform}}}], ports: [{port: http, protocol: TCP}]}]}`,
			`from 10.244.0.7 {"ports":[{"protocol":"TCP","port":8080}]}` + "\n" + checkout,
		},
		"a named port of an egress rule leaves out the peers that do not have it": {
			`spec: {podSelector: {matchLabels: {app: none}}, egress: [{to: [{podSelector: {}}, {namespaceSelector: {matchLabels: {team: platform}}}], ports: [{port: other, protocol: TCP}]}]}`,
			`to 10.244.0.6 {"ports":[{"protocol":"TCP","port":8080}]}`,
		},
		"ports of two rules add up, and every port is more than some": {
			`spec: {podSelector: {matchLabels: {app: none}}, egress: [
				{to: [{ipBlock: {cidr: 1.1.1.1/32}}], ports: [{port: 80, protocol: TCP}]},
				{to: [{ipBlock: {cidr: 1.1.1.1/32}}], ports: [{port: 53, protocol: UDP}, {port: 80, protocol: TCP}]},
				{to: [{ipBlock: {cidr: 2.2.2.2/32}}], ports: [{port: 80, protocol: TCP}]},
				{to: [{ipBlock: {cidr: 2.2.2.2/32}}]}]}`,
			`to 1.1.1.1/32 {"ports":[{"protocol":"TCP","port":80},{"protocol":"UDP","port":53}]}` + "\nto 2.2.2.2/32 {}",
		},
		"a cluster policy reaches into every namespace and keeps its actions": {
			`{metadata: {name: policy}, spec: {tier: Admin, priority: 0,
				subject: {pods: {namespaceSelector: {}, podSelector: {matchLabels: {app: checkout}}}},
				ingress: [{action: Deny, from: [{namespaces: {matchLabels: {team: platform}}}]}],
				egress: [{action: Pass, to: [{networks: [10.0.0.2/32]}], ports: [{portRange: {protocol: UDP, start: 50, end: 60}}]},
					{action: Deny, to: [{networks: [0.0.0.0/0]}]}]}}`,
			"Deny from 10.244.0.7 {}\nDeny to 0.0.0.0/0 {}\n" +
				`Pass to 10.0.0.2/32 {"ports":[{"protocol":"UDP","port":50,"endPort":60}]}` + "\n" + checkout,
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := strings.Join(resolved(t, test.policy), "\n"); got != test.want {
				t.Errorf("got\n%s\nwant\n%s", got, test.want)
			}
		})
	}
}

func TestManyPodsAreSpreadOverSeveralEndpoints(t *testing.T) {
	c := cluster{namespaces: map[string]labels.Set{"payments": {}}}
	for i := range 2*chunkSize + 1 {
		c.pods = append(c.pods, &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: "payments", Name: fmt.Sprintf("checkout-%d", i)},
			Status:     corev1.PodStatus{PodIP: fmt.Sprintf("10.244.%d.%d", i/200, i%200)},
		})
	}
	specs := resolve(policy{subject: podSet{namespace: "payments", pods: labels.Everything()}}, c)
	names := map[string]bool{}
	for _, spec := range specs {
		for _, pod := range spec.PodSelectorEndpoints {
			names[pod.Name] = true
		}
	}
	if len(specs) != 3 || len(names) != len(c.pods) {
		t.Errorf("%d endpoints list %d of %d pods", len(specs), len(names), len(c.pods))
	}
}
