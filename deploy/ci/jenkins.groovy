// Shipwatch in a Jenkins pipeline: paste the function above `pipeline {`, or keep it as vars/shipwatch.groovy of a shared library (then
// it is `def call(Map o = [:])`). Jenkins needs the credential `shipwatch-secret` (secret text) and the global variable SHIPWATCH_URL;
// agents need `shipwatch`, or the static shipwatch-report under that name, in their PATH.
//
//   stage('deploy') { steps { script { shipwatch(run: './deploy.sh', phase: 'started', environment: 'prod') } } }
//   stage('healthy') { steps { script { shipwatch(health: 'https://web.example.com/health') } } }
//   post { always { script { shipwatch(coverage: 'coverage.xml') } } }        // how the build went
def shipwatch(Map o = [:]) {
  withCredentials([string(credentialsId: 'shipwatch-secret', variable: 'SHIPWATCH_SECRET')]) {
    withEnv(["SW_RUN=${o.run ?: ''}", "SW_PHASE=${o.phase ?: 'finished'}", "SW_RESULT=${currentBuild.currentResult}",
             "SW_ENVIRONMENT=${o.environment ?: ''}", "SW_SERVICE=${o.service ?: ''}", "SW_VERSION=${o.version ?: ''}",
             "SW_COVERAGE=${o.coverage ?: ''}", "SW_HEALTH=${o.health ?: ''}", "SW_COMMIT=${o.commit ?: ''}", "SW_WAIT=${o.wait ?: '60s'}"]) {
      // Single quotes: Groovy puts nothing into it, all comes by the environment, and the secret into no command line.
      sh(label: 'shipwatch', script: '''
        set +x
        if [ -n "$SW_HEALTH" ]; then
          exec shipwatch test-health "$SW_HEALTH" --expect-commit "${SW_COMMIT:-$GIT_COMMIT}" --wait "$SW_WAIT"
        fi
        set -- --phase "$SW_PHASE"
        [ -z "$SW_ENVIRONMENT" ] || set -- "$@" --environment "$SW_ENVIRONMENT"
        [ -z "$SW_SERVICE" ] || set -- "$@" --service "$SW_SERVICE"
        [ -z "$SW_VERSION" ] || set -- "$@" --version "$SW_VERSION"
        [ -z "$SW_COVERAGE" ] || set -- "$@" --coverage "$SW_COVERAGE"
        if [ -n "$SW_RUN" ]; then
          if command -v shipwatch >/dev/null; then
            exec shipwatch report "$@" -- sh -ec "$SW_RUN"
          fi
          echo "shipwatch: no program shipwatch on this agent; nothing is reported" >&2
          unset SHIPWATCH_SECRET
          exec sh -ec "$SW_RUN"
        fi
        case $SW_RESULT in
        SUCCESS) ended=0 ;;
        ABORTED) ended=143; set -- "$@" --field cancelled=true ;;
        *) ended=1 ;;
        esac
        [ "$SW_PHASE" = started ] || set -- "$@" --exit-code $ended
        shipwatch report "$@" || true
      ''')
    }
  }
}
