package fakekubelet

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// LogServer answers the API server's question for the log of a container. No
// container runs, so nothing is logged: what a container is to have said is put
// into the file <dir>/<namespace>/<pod>/<container>.log, and what its
// predecessor said into <container>.previous.log.
type LogServer struct {
	Listener net.Listener
	// Cert and Key are paths; the API server verifies no kubelet unless told to.
	Cert, Key string
	Dir       string
}

// Serve answers until the process ends.
func (s *LogServer) Serve() error {
	certificate, err := tls.LoadX509KeyPair(s.Cert, s.Key)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /containerLogs/{namespace}/{pod}/{container}", s.serveLog)
	server := &http.Server{
		Handler:           mux,
		TLSConfig:         &tls.Config{Certificates: []tls.Certificate{certificate}},
		ReadHeaderTimeout: 10 * time.Second,
	}
	return server.ServeTLS(s.Listener, "", "")
}

// ownKubelet is the annotation of a node that brings a kubelet of its own.
const ownKubelet = "localkube/own-kubelet"

// register tells the API server where the kubelet of the node listens. All of
// them are one here, on loopback, but for those that nodes bring themselves.
func (s *LogServer) register(node *corev1.Node) {
	if s.isRegistered(node) {
		return
	}
	node.Status.DaemonEndpoints.KubeletEndpoint.Port = s.port()
	for _, address := range node.Status.Addresses {
		if address.Type == corev1.NodeExternalIP {
			return
		}
	}
	loopback := corev1.NodeAddress{Type: corev1.NodeExternalIP, Address: "127.0.0.1"}
	node.Status.Addresses = append(node.Status.Addresses, loopback)
}

func (s *LogServer) isRegistered(node *corev1.Node) bool {
	_, own := node.Annotations[ownKubelet]
	return own || node.Status.DaemonEndpoints.KubeletEndpoint.Port == s.port()
}

func (s *LogServer) port() int32 {
	return int32(s.Listener.Addr().(*net.TCPAddr).Port)
}

func (s *LogServer) serveLog(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	pod, container := r.PathValue("pod"), r.PathValue("container")
	previous := query.Get("previous") == "true"
	file := container + ".log"
	if previous {
		file = container + ".previous.log"
	}
	path := filepath.Join(r.PathValue("namespace"), pod, file)
	if !filepath.IsLocal(path) || strings.Count(path, string(filepath.Separator)) != 2 {
		http.Error(w, "no such container", http.StatusNotFound)
		return
	}
	path = filepath.Join(s.Dir, path)
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		if previous {
			http.Error(w, fmt.Sprintf("previous terminated container %q in pod %q not found", container, pod), http.StatusBadRequest)
		}
		return // a container that has said nothing has an empty log
	}
	content, readErr := os.ReadFile(path)
	if err := errors.Join(err, readErr); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/plain")
	w.Write([]byte(excerpt(string(content), info.ModTime(), query)))
}

// excerpt does with a log what a kubelet does: the last lines first, and of
// these the first bytes.
func excerpt(content string, at time.Time, query url.Values) string {
	lines := strings.SplitAfter(content, "\n")
	if lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	if tail, err := strconv.Atoi(query.Get("tailLines")); err == nil && tail < len(lines) {
		lines = lines[len(lines)-tail:]
	}
	if query.Get("timestamps") == "true" {
		for i, line := range lines {
			lines[i] = at.UTC().Format(time.RFC3339Nano) + " " + line
		}
	}
	log := strings.Join(lines, "")
	if limit, err := strconv.Atoi(query.Get("limitBytes")); err == nil && limit < len(log) {
		log = log[:limit]
	}
	return log
}
