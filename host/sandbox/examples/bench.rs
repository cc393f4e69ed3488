use innkeeper_model::BoxFuture;
use innkeeper_model::clock::SystemClock;
use innkeeper_model::id::*;
use innkeeper_model::limits::Limits;
use innkeeper_model::sandbox::*;
use innkeeper_model::time::Timestamp;
use innkeeper_sandbox::*;
use std::sync::Arc;
use std::time::{Duration, Instant};
struct S(Arc<[u8]>);
impl StateReader for S {
    fn component(&self, _: &TenantId, _: &Digest) -> BoxFuture<Result<Option<Arc<[u8]>>, StateError>> {
        let c = self.0.clone();
        Box::pin(async move { Ok(Some(c)) })
    }
    fn value(&self, _: &TenantId, _: &str, _: &str) -> BoxFuture<Result<Option<Vec<u8>>, StateError>> {
        Box::pin(async { Ok(None) })
    }
    fn keys(
        &self,
        _: &TenantId,
        _: &str,
        _: Option<&str>,
        _: u32,
    ) -> BoxFuture<Result<Vec<String>, StateError>> {
        Box::pin(async { Ok(vec![]) })
    }
}
fn main() {
    let bytes: Arc<[u8]> = std::fs::read(std::env::args().nth(1).unwrap()).unwrap().into();
    let threads: usize = std::env::args().nth(2).unwrap().parse().unwrap();
    let data = std::env::args().nth(3);
    let sandbox = Arc::new(
        WasmSandbox::new(
            SandboxConfig { guest_threads: threads, ..SandboxConfig::default() },
            Arc::new(SystemClock),
        )
        .unwrap(),
    );
    let digest = Digest::of(&bytes);
    let state: Arc<dyn StateReader> = Arc::new(S(bytes.clone()));
    let inv = Invocation {
        tenant: TenantId::default_tenant(),
        task_id: "t".parse().unwrap(),
        run_id: RunId::new(Timestamp::MIN, [1; 10]),
        execution_id: ExecutionId::new(Timestamp::MIN, [2; 10]),
        plugin: "p".parse().unwrap(),
        digest,
        attempt: 1,
        max_attempts: 1,
        scheduled_at: None,
        started_at: Timestamp::MIN,
        metadata: None,
        event: Some("user:created".into()),
        data,
        limits: Limits::DEFAULT,
        state,
    };
    let rt = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    rt.block_on(async {
        let t = Instant::now();
        println!("{:?} in {:?}", sandbox.admit(bytes).await, t.elapsed());
        let r = sandbox.execute(inv.clone(), Box::pin(std::future::pending())).await;
        println!("{r:?}");
        let (mut busy, mut wall) = (0, 0);
        let n = 20000;
        let t = Instant::now();
        for _ in 0..n {
            let r = sandbox.execute(inv.clone(), Box::pin(std::future::pending())).await;
            busy += r.receipt.cpu_us;
            wall += r.receipt.wall_us;
        }
        println!(
            "serial: {:?} per execution; receipt wall {:.2} us, cpu {:.2} us",
            t.elapsed() / n,
            f64::from(wall as u32) / f64::from(n),
            f64::from(busy as u32) / f64::from(n)
        );
        let t = Instant::now();
        let mut tasks = tokio::task::JoinSet::new();
        let n = 200_000u32;
        for _ in 0..64 {
            let (s, i) = (sandbox.clone(), inv.clone());
            tasks.spawn(async move {
                for _ in 0..n / 64 {
                    s.execute(i.clone(), Box::pin(std::future::pending())).await;
                }
            });
        }
        tasks.join_all().await;
        let e = t.elapsed();
        println!("64 at once: {:?} per execution, {:.0}/s", e / n, f64::from(n) / e.as_secs_f64());
    });
    let _ = Duration::ZERO;
}
