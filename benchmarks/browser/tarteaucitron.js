tarteaucitron.init({ privacyUrl: "/privacy" }); // the rest of the documented call says what holds without it
for (const [key, type, name] of [
  ["language", "other", "Language"],
  ["visits", "analytic", "Visit statistics"],
  ["adverts", "ads", "Adverts"],
]) {
  tarteaucitron.services[key] = {
    key, type, name, uri: "/privacy", needConsent: true, cookies: [key], js() {}, fallback() {},
  };
  (tarteaucitron.job = tarteaucitron.job || []).push(key);
}
