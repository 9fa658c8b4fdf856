"""The Debian package: built in a clean copy, lintian clean, and installed, upgraded, removed and purged in a copy of this machine (an overlay
that is thrown away; wants root). By `./dev deb --check`."""
import os
import re
import shutil
import subprocess
import unittest

import rig

# Runs in the copy. Each line that begins with "ok" is a step that went well; the first that did not ends it.
STORY = r"""
set -eu
export DEBIAN_FRONTEND=noninteractive
ok() { echo "ok $*"; }
same() { [ "$1" = "$2" ] || { echo "want $2, have $1: $3"; exit 1; }; }
mode() { stat -c '%a %U:%G' "$1"; }
conf=/etc/shipwatch/shipwatch.yaml
state=/var/lib/shipwatch

dpkg -i /packages/first.deb
getent passwd shipwatch | grep -q nologin
same "$(mode /etc/shipwatch)" "750 root:shipwatch" "the folder of the configuration"
same "$(mode /etc/shipwatch/secrets)" "750 root:shipwatch" "the folder of secrets"
same "$(mode $conf)" "640 root:shipwatch" "the configuration"
same "$(mode $state)" "750 shipwatch:shipwatch" "the state"
shipwatch version
setpriv --reuid=shipwatch --regid=shipwatch --clear-groups shipwatch check --strict -c $conf
if setpriv --reuid=nobody --regid=nogroup --clear-groups cat $conf 2>/dev/null; then echo "anybody reads the configuration"; exit 1; fi
for unit in gateway worker dashboard; do
	[ -e /lib/systemd/system/shipwatch-$unit.service ]
	[ ! -e /etc/systemd/system/multi-user.target.wants/shipwatch-$unit.service ]
done
zcat -f /usr/share/man/man1/shipwatch.1.gz | grep -q 'Nm shipwatch'
ok installed

echo "log_url: https://logs.example.com/?q={ci_run_id}" >>$conf
chmod 0600 $conf; chown shipwatch $conf
echo "- {name: mine, on: deploy-failed, then: alert}" >/etc/shipwatch/rules/mine.yaml
echo s3cret >/etc/shipwatch/secrets/gitlab-token; chmod 0640 /etc/shipwatch/secrets/gitlab-token
mkdir -p /etc/systemd/system/shipwatch-worker.service.d
printf '[Service]\nMemoryDenyWriteExecute=no\n' >/etc/systemd/system/shipwatch-worker.service.d/exec.conf
# a state that a role of the old version wrote
setpriv --reuid=shipwatch --regid=shipwatch --clear-groups sh -c "redis-server --port 0 --unixsocket /tmp/r.sock --dir $state --save '' >/dev/null & echo \$! >/tmp/r.pid"
setpriv --reuid=shipwatch --regid=shipwatch --clear-groups timeout 5 shipwatch gateway -c $conf --redis unix:///tmp/r.sock --listen 127.0.0.1:0 || true
kill "$(cat /tmp/r.pid)"
id=$(cat $state/gateway.id)
[ -n "$id" ]
before=$(find /etc/shipwatch $state -type f -exec sha256sum {} + -exec stat -c '%a %U:%G %n' {} + | sort)
ok used

# The next version has another default configuration.
dpkg --force-confdef --force-confold -i /packages/second.deb
same "$(dpkg-query -W -f '${Version}' shipwatch)" 0.2.0 "the version"
rm -f $conf.dpkg-dist
after=$(find /etc/shipwatch $state -type f -exec sha256sum {} + -exec stat -c '%a %U:%G %n' {} + | sort)
same "$after" "$before" "configuration and state after an upgrade"
[ -e /etc/systemd/system/shipwatch-worker.service.d/exec.conf ]
setpriv --reuid=shipwatch --regid=shipwatch --clear-groups shipwatch check -c $conf
ok upgraded

dpkg -r shipwatch
[ ! -e /usr/bin/shipwatch ]
after=$(find /etc/shipwatch $state -type f -exec sha256sum {} + -exec stat -c '%a %U:%G %n' {} + | sort)
same "$after" "$before" "configuration and state after a removal"
ok removed

dpkg -i /packages/second.deb
same "$(cat $state/gateway.id)" "$id" "the gateway's name after it was installed again"
ok again

dpkg -P shipwatch
[ ! -e /etc/shipwatch ] && [ ! -e $state ] && [ ! -e /usr/share/doc/shipwatch ]
getent passwd shipwatch >/dev/null
ok purged

# One who changed nothing gets the new default.
dpkg -i /packages/first.deb
dpkg -i /packages/second.deb
grep -q 'the second' $conf
same "$(mode $conf)" "640 root:shipwatch" "a configuration that nobody changed, after an upgrade"
ok defaults
"""


class Package(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        for name, package in (("dpkg-buildpackage", "dpkg-dev"), ("dh", "debhelper"), ("fakeroot", None), ("lintian", None)):
            rig.tool(name, package)
        cls.folder = rig.Folder()
        cls.packages = os.environ.get("SW_DEB") or cls.folder.path     # SW_DEB: a folder with what ./dev deb has built
        if not os.environ.get("SW_DEB"):
            p = subprocess.run([os.path.join(rig.DEPLOY, "deb.sh"), cls.packages], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, timeout=1500, check=False)
            if p.returncode:
                raise AssertionError(p.stdout.decode("utf-8", "replace")[-5000:])
        (cls.deb,) = [f for f in os.listdir(cls.packages) if f.startswith("shipwatch_") and f.endswith(".deb")]

    @classmethod
    def tearDownClass(cls):
        cls.folder.remove()

    def test_lintian(self):
        (changes,) = [f for f in os.listdir(self.packages) if f.endswith(".changes")]
        code, said = rig.run(rig.tool("lintian"), "--allow-root", "--fail-on", "error,warning", os.path.join(self.packages, changes))
        self.assertEqual(0, code, said)
        self.assertNotRegex(said, r"(?m)^[EW]:")

    def test_version_is_the_projects(self):
        version = re.search(r"version: '([^']+)'", rig.read("meson.build")).group(1)
        self.assertTrue(self.deb.startswith("shipwatch_%s_" % version), self.deb)

    def second(self):
        """The package of a later version, with another default configuration: the first one unpacked, changed and packed again."""
        root = self.folder("second")
        code, said = rig.run("dpkg-deb", "-R", os.path.join(self.packages, self.deb), root)
        self.assertEqual(0, code, said)
        with open(os.path.join(root, "DEBIAN", "control"), encoding="utf-8") as f:
            control = f.read()
        with open(os.path.join(root, "DEBIAN", "control"), "w", encoding="utf-8") as f:
            f.write(re.sub(r"(?m)^Version: .*$", "Version: 0.2.0", control))
        with open(os.path.join(root, "etc", "shipwatch", "shipwatch.yaml"), "a", encoding="utf-8") as f:
            f.write("\n# the second version\n")
        code, said = rig.run("dpkg-deb", "--root-owner-group", "-b", root, self.folder("packages", "second.deb"))
        self.assertEqual(0, code, said)

    def test_life(self):
        if os.getuid() != 0:
            self.skipTest("an installation wants root")
        rig.tool("redis-server")
        for name in ("packages", "upper", "work", "copy"):
            os.mkdir(self.folder(name))
        shutil.copy(os.path.join(self.packages, self.deb), self.folder("packages", "first.deb"))
        self.second()
        self.folder.write("story.sh", STORY)
        # Everything happens in namespaces and an overlay of its own: this machine's files, mounts and processes are not touched.
        begin = ("set -eu; mount -t overlay overlay -o lowerdir=/,upperdir={0}/upper,workdir={0}/work {0}/copy; "
                 "mkdir -p {0}/copy/packages; cp {0}/packages/*.deb {0}/copy/packages; cp {0}/story.sh {0}/copy/packages/story; "
                 "mount -t proc proc {0}/copy/proc; mount --bind /dev {0}/copy/dev; rm -rf {0}/copy/run/systemd; "
                 "printf '#!/bin/sh\\nexit 101\\n' >{0}/copy/usr/sbin/policy-rc.d; chmod 755 {0}/copy/usr/sbin/policy-rc.d; "
                 "exec chroot {0}/copy /bin/sh /packages/story").format(self.folder.path)
        code, said = rig.run(rig.tool("unshare", "util-linux"), "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", begin, bound=900)
        if "mount: " in said and "ok installed" not in said:
            self.skipTest("no overlay can be mounted here: " + said.strip().splitlines()[-1])
        self.assertEqual(0, code, said)
        self.assertEqual(["installed", "used", "upgraded", "removed", "again", "purged", "defaults"], re.findall(r"(?m)^ok (\w+)$", said), said)
        self.assertFalse(os.path.exists("/packages/story"))


if __name__ == "__main__":
    unittest.main()
