package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// keyPair is the paths of a certificate and its key.
type keyPair struct {
	cert, key string
}

// pki is the paths of everything that the cluster proves its identities with.
type pki struct {
	ca, server                          keyPair
	admin, controllerManager, scheduler keyPair
	serviceAccountKey                   string
}

// openPKI returns the certificates and keys in dir and creates them at the first
// start. A restart keeps them, so that kubeconfigs, the certificate authority
// that clients trust, and service account tokens stay valid.
func openPKI(dir string) (*pki, error) {
	pair := func(name string) keyPair {
		return keyPair{cert: filepath.Join(dir, name+".crt"), key: filepath.Join(dir, name+".key")}
	}
	paths := &pki{
		ca: pair("ca"), server: pair("apiserver"),
		admin: pair("admin"), controllerManager: pair("controller-manager"), scheduler: pair("scheduler"),
		serviceAccountKey: filepath.Join(dir, "service-account.key"),
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return paths, err
	}
	// Created under another name and renamed: a process killed half-way leaves no
	// folder that looks complete.
	unfinished := dir + ".unfinished"
	if err := os.RemoveAll(unfinished); err != nil {
		return nil, err
	}
	if err := createPKI(unfinished); err != nil {
		return nil, err
	}
	return paths, os.Rename(unfinished, dir)
}

// createPKI fills dir with a new authority and what it signs. The names and
// groups are those that Kubernetes' built-in RBAC roles are bound to.
func createPKI(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	authority, err := createAuthority(dir)
	if err != nil {
		return err
	}
	client := func(commonName string, organization ...string) *x509.Certificate {
		return &x509.Certificate{
			Subject:     pkix.Name{CommonName: commonName, Organization: organization},
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		}
	}
	for name, template := range map[string]*x509.Certificate{
		"apiserver": {
			Subject:     pkix.Name{CommonName: "kube-apiserver"},
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
			DNSNames:    []string{"localhost", "kubernetes.default.svc"},
			IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		},
		"admin":              client("admin", "system:masters"),
		"controller-manager": client("system:kube-controller-manager"),
		"scheduler":          client("system:kube-scheduler"),
	} {
		if err := authority.issue(dir, name, template); err != nil {
			return err
		}
	}
	_, err = createKey(filepath.Join(dir, "service-account.key"))
	return err
}

// authority signs the certificates of one cluster.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func createAuthority(dir string) (*authority, error) {
	key, err := createKey(filepath.Join(dir, "ca.key"))
	if err != nil {
		return nil, err
	}
	self := &authority{key: key, cert: &x509.Certificate{
		Subject: pkix.Name{CommonName: "localkube"},
		IsCA:    true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}}
	der, err := self.sign(filepath.Join(dir, "ca.crt"), self.cert, key)
	if err != nil {
		return nil, err
	}
	self.cert, err = x509.ParseCertificate(der)
	return self, err
}

// issue writes a new key and the certificate that template describes.
func (a *authority) issue(dir, name string, template *x509.Certificate) error {
	key, err := createKey(filepath.Join(dir, name+".key"))
	if err != nil {
		return err
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	_, err = a.sign(filepath.Join(dir, name+".crt"), template, key)
	return err
}

func (a *authority) sign(path string, template *x509.Certificate, key *ecdsa.PrivateKey) ([]byte, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	now := time.Now()
	template.SerialNumber = serial
	template.NotBefore = now.Add(-time.Hour) // a laptop's clock may step back
	template.NotAfter = now.AddDate(10, 0, 0)
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		return nil, err
	}
	return der, writePEM(path, "CERTIFICATE", der)
}

func createKey(path string) (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	return key, writePEM(path, "EC PRIVATE KEY", der)
}

func writePEM(path, kind string, der []byte) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}
