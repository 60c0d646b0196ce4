package fakekubelet

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"path"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// heartbeatIsFresh tells a node that has just reported. Without this, the event
// of each heartbeat would cause the next one at once.
func heartbeatIsFresh(node *corev1.Node, now time.Time) bool {
	for _, c := range node.Status.Conditions {
		if c.Type == corev1.NodeReady {
			return c.Status == corev1.ConditionTrue && now.Sub(c.LastHeartbeatTime.Time) < heartbeat-time.Second
		}
	}
	return false
}

// readyNode is the node with a heartbeat. What its creator left open (address,
// capacity) is filled in as a kubelet does when it registers.
func readyNode(node *corev1.Node, address string, now metav1.Time) *corev1.Node {
	ready := node.DeepCopy()
	condition := corev1.NodeCondition{
		Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "KubeletReady",
		Message: "fake kubelet", LastHeartbeatTime: now, LastTransitionTime: now,
	}
	var others []corev1.NodeCondition
	for _, c := range node.Status.Conditions {
		if c.Type != corev1.NodeReady {
			others = append(others, c)
		} else if c.Status == corev1.ConditionTrue {
			condition.LastTransitionTime = c.LastTransitionTime
		}
	}
	ready.Status.Conditions = append(others, condition)
	if internalIP(node) == "" {
		ready.Status.Addresses = append(ready.Status.Addresses, corev1.NodeAddress{Type: corev1.NodeInternalIP, Address: address})
	}
	if len(node.Status.Capacity) == 0 {
		ready.Status.Capacity = corev1.ResourceList{
			corev1.ResourceCPU:    resource.MustParse("4"),
			corev1.ResourceMemory: resource.MustParse("16Gi"),
			corev1.ResourcePods:   resource.MustParse("110"),
		}
	}
	if len(node.Status.Allocatable) == 0 {
		ready.Status.Allocatable = ready.Status.Capacity.DeepCopy()
	}
	return ready
}

func internalIP(node *corev1.Node) string {
	for _, a := range node.Status.Addresses {
		if a.Type == corev1.NodeInternalIP {
			return a.Address
		}
	}
	return ""
}

// runningPod is the pod as a kubelet reports it once its probes have passed.
func runningPod(pod *corev1.Pod, hostIP, podIP string, now metav1.Time) *corev1.Pod {
	running := pod.DeepCopy()
	status := &running.Status
	status.Phase = corev1.PodRunning
	status.StartTime = &now
	status.HostIP, status.HostIPs = hostIP, []corev1.HostIP{{IP: hostIP}}
	status.PodIP, status.PodIPs = podIP, []corev1.PodIP{{IP: podIP}}

	status.InitContainerStatuses, status.ContainerStatuses = nil, nil
	for _, c := range pod.Spec.InitContainers {
		sidecar := c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways
		if sidecar {
			status.InitContainerStatuses = append(status.InitContainerStatuses, runningContainer(c, now))
		} else {
			status.InitContainerStatuses = append(status.InitContainerStatuses, completedContainer(c, now))
		}
	}
	for _, c := range pod.Spec.Containers {
		status.ContainerStatuses = append(status.ContainerStatuses, runningContainer(c, now))
	}

	status.Conditions = nil
	for _, kind := range []corev1.PodConditionType{
		corev1.PodScheduled, corev1.PodReadyToStartContainers, corev1.PodInitialized, corev1.ContainersReady, corev1.PodReady,
	} {
		status.Conditions = append(status.Conditions, corev1.PodCondition{
			Type: kind, Status: corev1.ConditionTrue, LastTransitionTime: now,
		})
	}
	return running
}

func runningContainer(c corev1.Container, now metav1.Time) corev1.ContainerStatus {
	started := true
	return corev1.ContainerStatus{
		Name: c.Name, Image: c.Image, ImageID: imageID(c.Image), ContainerID: newContainerID(),
		Ready: true, Started: &started,
		State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: now}},
	}
}

func completedContainer(c corev1.Container, now metav1.Time) corev1.ContainerStatus {
	started := false
	id := newContainerID()
	return corev1.ContainerStatus{
		Name: c.Name, Image: c.Image, ImageID: imageID(c.Image), ContainerID: id,
		Ready: true, Started: &started,
		State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
			Reason: "Completed", StartedAt: now, FinishedAt: now, ContainerID: id,
		}},
	}
}

// newContainerID is random like containerd's own.
func newContainerID() string {
	id := make([]byte, 32)
	rand.Read(id) // never fails: the program ends instead
	return "containerd://" + hex.EncodeToString(id)
}

// imageID is a digest reference: the one that the image already is, or else one
// made from its name, so that the same image has the same digest everywhere.
func imageID(image string) string {
	if strings.Contains(image, "@sha256:") {
		return image
	}
	repository := image
	if _, tag, tagged := strings.Cut(path.Base(image), ":"); tagged {
		repository = strings.TrimSuffix(image, ":"+tag)
	}
	digest := sha256.Sum256([]byte(image))
	return repository + "@sha256:" + hex.EncodeToString(digest[:])
}
