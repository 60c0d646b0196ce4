// Command kubelet answers the API server's port forwards as a node's kubelet
// does, with the kubelet's own code. No container runs on the nodes of the local
// stage, so every pod's ports lead to one address of this machine, given as
// argument. The first line on stdout is the port that it listens on.
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/cert"
	"k8s.io/kubelet/pkg/cri/streaming/portforward"
)

const (
	idleTimeout   = time.Hour
	streamTimeout = 30 * time.Second
)

// target is the address behind every port of every pod.
type target string

func (t target) PortForward(ctx context.Context, _ string, _ types.UID, _ int32, stream io.ReadWriteCloser) error {
	var dialer net.Dialer
	connection, err := dialer.DialContext(ctx, "tcp", string(t))
	if err != nil {
		return err
	}
	defer connection.Close()
	sent := make(chan error, 1)
	go func() {
		_, err := io.Copy(connection, stream)
		sent <- errors.Join(err, connection.(*net.TCPConn).CloseWrite())
	}()
	_, err = io.Copy(stream, connection)
	return errors.Join(err, stream.Close(), <-sent)
}

func main() {
	if err := serve(target(os.Args[1])); err != nil {
		fmt.Fprintln(os.Stderr, "kubelet:", err)
		os.Exit(1)
	}
}

func serve(t target) error {
	// A kubelet whose certificate nobody checks: the API server of the local stage knows no CA of nodes.
	certificate, key, err := cert.GenerateSelfSignedCertKey("localhost", nil, nil)
	if err != nil {
		return err
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/portForward/{namespace}/{pod}", func(w http.ResponseWriter, r *http.Request) {
		options, err := portforward.NewV4Options(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		portforward.ServePortForward(w, r, t, r.PathValue("pod"), "", options, idleTimeout, streamTimeout, portforward.SupportedProtocols)
	})
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	server := http.Server{
		Handler:      mux,
		TLSConfig:    &tls.Config{Certificates: []tls.Certificate{pair}},
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){}, // SPDY upgrades a connection of HTTP/1.1
	}
	return server.ServeTLS(listener, "", "")
}
