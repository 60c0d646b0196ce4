package fakekubelet

import (
	"net/netip"
	"regexp"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestAddressIsNeverGivenToTwoOwners(t *testing.T) {
	pool := newAddressPool(netip.MustParseAddr("10.244.0.10"))
	pool.claim("10.244.0.255") // in use since before a restart
	pool.claim("10.244.0.12")
	pool.claim("") // a pod that has none yet
	seen := map[string]bool{"10.244.0.255": true, "10.244.0.12": true}
	for _, owner := range []string{"a", "b", "c"} {
		address := pool.of(owner)
		if seen[address] {
			t.Errorf("%s was given %s, which is taken", owner, address)
		}
		if again := pool.of(owner); again != address {
			t.Errorf("%s moved from %s to %s", owner, address, again)
		}
		seen[address] = true
	}
}

func TestEveryContainerOfARunningPodHasAnIDOfItsOwn(t *testing.T) {
	always := corev1.ContainerRestartPolicyAlways
	pod := &corev1.Pod{Spec: corev1.PodSpec{
		InitContainers: []corev1.Container{{Name: "setup", Image: "busybox"}, {Name: "proxy", Image: "envoy", RestartPolicy: &always}},
		Containers:     []corev1.Container{{Name: "app", Image: "app:1"}, {Name: "log", Image: "log:1"}},
	}}
	status := runningPod(pod, "10.0.0.10", "10.244.0.10", metav1.Now()).Status
	containers := append(status.InitContainerStatuses, status.ContainerStatuses...)
	if len(containers) != 4 {
		t.Fatalf("%d containers have a status", len(containers))
	}
	seen := map[string]bool{}
	for _, c := range containers {
		if !regexp.MustCompile(`^containerd://[0-9a-f]{64}$`).MatchString(c.ContainerID) || seen[c.ContainerID] {
			t.Errorf("%s has the id %q", c.Name, c.ContainerID)
		}
		seen[c.ContainerID] = true
		if finished := c.State.Terminated != nil; finished != (c.Name == "setup") {
			t.Errorf("%s is in the state %+v", c.Name, c.State)
		}
	}
}

func TestImageIDIsADigestOfTheSameRepository(t *testing.T) {
	digest := regexp.MustCompile(`@sha256:[0-9a-f]{64}$`)
	for image, repository := range map[string]string{
		"nginx":                          "nginx",
		"nginx:1.29":                     "nginx",
		"registry.local:5000/team/app":   "registry.local:5000/team/app",
		"registry.local:5000/team/app:2": "registry.local:5000/team/app",
	} {
		id := imageID(image)
		if !digest.MatchString(id) || digest.ReplaceAllString(id, "") != repository {
			t.Errorf("%s has the image id %s", image, id)
		}
	}
	if pinned := imageID("nginx"); imageID(pinned) != pinned {
		t.Errorf("a pinned image has another image id than itself")
	}
}

func TestHeartbeatKeepsTheTimeOfTheLastTransition(t *testing.T) {
	created := metav1.NewTime(time.Now().Add(-time.Minute))
	first := readyNode(&corev1.Node{}, "10.0.0.10", created)
	if !heartbeatIsFresh(first, created.Add(time.Second)) || heartbeatIsFresh(first, time.Now()) {
		t.Errorf("a heartbeat is fresh for the wrong time")
	}
	second := readyNode(first, "10.0.0.99", metav1.Now()).Status
	if len(second.Conditions) != 1 || !second.Conditions[0].LastTransitionTime.Equal(&created) {
		t.Errorf("the conditions are %+v", second.Conditions)
	}
	if len(second.Addresses) != 1 || second.Addresses[0].Address != "10.0.0.10" {
		t.Errorf("the addresses are %+v", second.Addresses)
	}
}
