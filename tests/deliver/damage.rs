//! What is done to Redis behind the product's back.

use footfall::stream::letters::MOST_LETTERS;

use crate::harness::World;

impl World {
    /// As many dead letters as a shard may have, of nobody.
    pub async fn letters_are_full(&self, shard: u16) {
        let mut fill = redis::pipe();
        for _ in 0..MOST_LETTERS {
            fill.cmd("XADD")
                .arg(format!("{}dlq:{{s{shard}}}", self.prefix))
                .arg("*")
                .arg("p")
                .arg("")
                .ignore();
        }
        fill.exec_async(&mut self.redis().await).await.expect("xadd");
    }

    /// Every dead letter of the shard is taken away behind the product's back.
    pub async fn letters_go(&self, shard: u16) {
        redis::cmd("DEL")
            .arg(format!("{}dlq:{{s{shard}}}", self.prefix))
            .exec_async(&mut self.redis().await)
            .await
            .expect("del");
    }

    /// What waits in the shard is taken away behind the product's back.
    pub async fn entries_go(&self, shard: u16) {
        redis::cmd("XTRIM")
            .arg(format!("{}ev:{{s{shard}}}", self.prefix))
            .arg("MAXLEN")
            .arg(0)
            .exec_async(&mut self.redis().await)
            .await
            .expect("xtrim");
    }
}
